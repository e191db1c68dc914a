import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { callKey, useAction } from "@/client";
import { monaco } from "@/cockpit/editor/monaco";
import { useCommands } from "@/commands";
import { Button, ErrorState } from "@/components";
import { type Settings } from "@/protocol/generated";

const print = (settings: Settings) => `${JSON.stringify(settings, null, 2)}\n`;

/** All settings as one text, keys that this version does not know included. */
export function JsonPage({ settings }: { settings: Settings }) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor>(undefined);
  const queries = useQueryClient();
  const put = useAction("settings.put");
  const [text, setText] = useState(() => print(settings));
  const kept = print(settings);
  const problem = findProblem(text);
  const changed = text !== kept;

  const onText = useEffectEvent(setText);
  const initial = useEffectEvent(() => kept);
  useEffect(() => {
    if (!place.current) return;
    const created = monaco.editor.create(place.current, {
      value: initial(),
      language: "json",
      automaticLayout: true,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
      fontFamily: "JetBrains Mono Variable",
      fontSize: 13,
      tabSize: 2,
      ariaLabel: "Settings as JSON",
      padding: { top: 8, bottom: 8 },
    });
    editor.current = created;
    created.onDidChangeModelContent(() => onText(created.getValue()));
    created.focus();
    return () => {
      created.getModel()?.dispose();
      created.dispose();
    };
  }, []);

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
      <div ref={place} className="min-h-60 flex-1" />
    </div>
  );
}

function findProblem(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? undefined
      : "The settings are one object: { … }.";
  } catch (error) {
    return error instanceof Error ? error.message : "This is not JSON.";
  }
}
