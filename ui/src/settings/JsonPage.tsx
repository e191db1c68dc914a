import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { callKey, CallError, useAction } from "@/client";
import { loadMonaco } from "@/cockpit/editor/load";
import type * as monacoModule from "@/cockpit/editor/monaco";
import { useCommands } from "@/commands";
import { Button, ErrorState } from "@/components";
import { type Settings } from "@/protocol/generated";
import { helpWithSettings, markProblems } from "./jsonHelp";
import { textProblems } from "./schema";

const print = (settings: Settings) => `${JSON.stringify(settings, null, 2)}\n`;

const UNREACHED = new CallError({
  code: "disconnected",
  message: "The host did not send a part of this page.",
  hint: "Try again; if that does not help, reload the page.",
});

/** All settings as one text, keys that this version does not know included. */
export function JsonPage({ settings }: { settings: Settings }) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<monacoModule.monaco.editor.IStandaloneCodeEditor>(undefined);
  const [missing, setMissing] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const queries = useQueryClient();
  const put = useAction("settings.put");
  const [text, setText] = useState(() => print(settings));
  const kept = print(settings);
  const problem = textProblems(text).find(({ harmless }) => harmless !== true)?.message;
  const changed = text !== kept;

  const onText = useEffectEvent(setText);
  const initial = useEffectEvent(() => kept);
  useEffect(() => {
    let wanted = true;
    let stopHelp = () => {};
    loadMonaco().then(
      ({ monaco }) => {
        if (!wanted || !place.current) return;
        const created = monaco.editor.create(place.current, {
          value: initial(),
          language: "json",
          automaticLayout: true,
          minimap: { enabled: false },
          scrollBeyondLastLine: false,
          fontFamily: "JetBrains Mono Variable",
          fontSize: 13,
          tabSize: 2,
          renderFinalNewline: "on",
          ariaLabel: "Settings as JSON",
          padding: { top: 8, bottom: 8 },
        });
        editor.current = created;
        const model = created.getModel();
        if (model) {
          stopHelp = helpWithSettings(monaco, model);
          markProblems(monaco, model);
        }
        created.onDidChangeModelContent(() => {
          onText(created.getValue());
          if (model) markProblems(monaco, model);
        });
        created.focus();
      },
      () => wanted && setMissing(true),
    );
    return () => {
      wanted = false;
      stopHelp();
      editor.current?.getModel()?.dispose();
      editor.current?.dispose();
      editor.current = undefined;
    };
  }, [attempt]);

  const save = () => {
    if (problem !== undefined || !changed) return;
    const next = JSON.parse(text) as Settings;
    put.mutate(next, { onSuccess: () => queries.setQueryData(callKey("settings.get", {}), next) });
  };
  useCommands([{ id: "settings.save", group: "Settings", title: "Save settings", keys: "Mod+S", run: save }]);

  return (
    <div className="flex h-full flex-col">
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2">
        <h1 className="mr-auto text-lg font-semibold">Settings as JSON</h1>
        {problem !== undefined && (
          <p role="status" className="text-sm text-failed">
            {problem}
          </p>
        )}
        <Button disabled={!changed} onClick={() => editor.current?.setValue(kept)}>
          Revert
        </Button>
        <Button
          kind="primary"
          disabled={!changed || problem !== undefined}
          busy={put.isPending}
          onClick={save}
        >
          Save
        </Button>
      </div>
      {put.error && (
        <div className="p-3">
          <ErrorState compact title="The settings were not saved" error={put.error} />
        </div>
      )}
      {missing && (
        <div className="p-3">
          <ErrorState
            compact
            title="The editor could not be loaded"
            error={UNREACHED}
            onRetry={() => {
              setMissing(false);
              setAttempt(attempt + 1);
            }}
          />
        </div>
      )}
      <div ref={place} className="min-h-60 flex-1" />
    </div>
  );
}
