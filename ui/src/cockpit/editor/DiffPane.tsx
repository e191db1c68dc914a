import { type IDockviewPanelProps } from "dockview-react";
import { useEffect, useRef, useState } from "react";
import { toCallError, useCall } from "@/client";
import { Button, ErrorState } from "@/components";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import { useVisible } from "./FilePane";
import { loadMonaco } from "./load";
import { type PaneParams } from "./groups";
import { type MonacoBuffer } from "./monaco";

/** What is on disk beside the unsaved text, which can be edited here too. */
export function DiffPane({ api, params }: IDockviewPanelProps<PaneParams>) {
  const session = useSession();
  const documents = useModel(session.documents);
  const visible = useVisible(api);
  const settings = useCall("settings.get", {}).data;
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  const { path } = params;
  const document = documents.get(path);
  useEffect(() => {
    if (visible) session.documents.acquire(path);
  }, [session, path, visible]);
  const buffer = document?.buffer;
  const version = document?.stat?.version;
  const fontSize = settings?.editor_font_size ?? 13;
  useEffect(() => {
    const element = place.current;
    if (!visible || !buffer || !document || !element) return;
    let gone = false;
    let dispose: (() => void) | undefined;
    setError(undefined);
    Promise.all([loadMonaco(), document.diskText()]).then(
      ([{ monaco, sideModel }, disk]) => {
        if (gone) return;
        const original = sideModel(disk, path);
        const editor = monaco.editor.createDiffEditor(element, {
          automaticLayout: true,
          originalEditable: false,
          fontFamily: '"JetBrains Mono Variable", ui-monospace, monospace',
          fontSize,
          lineHeight: 1.55,
          scrollBeyondLastLine: false,
          renderOverviewRuler: true,
        });
        editor.setModel({ original, modified: (buffer as MonacoBuffer).model });
        editor.getOriginalEditor().updateOptions({ ariaLabel: "On disk" });
        editor.getModifiedEditor().updateOptions({ ariaLabel: "Your text" });
        dispose = () => {
          editor.dispose();
          original.dispose();
        };
      },
      (failed: unknown) => {
        if (!gone) setError(failed);
      },
    );
    return () => {
      gone = true;
      dispose?.();
    };
  }, [visible, buffer, document, path, version, attempt, fontSize]);
  const close = () => {
    const panel = session.groups.panels.find((other) => other.id === api.id);
    if (panel) void session.groups.close(panel);
  };
  return (
    <div className="flex h-full flex-col bg-code-bg">
      <div className="flex h-9 shrink-0 items-center gap-2 border-b border-line px-3 text-sm text-muted">
        <span className="flex-1">On disk (left) and your text (right)</span>
        {document && (
          <>
            <Button size="small" onClick={() => void document.reload().then(close)}>
              Take the one on disk
            </Button>
            <Button
              size="small"
              kind="primary"
              onClick={() => void document.save(true).then((saved) => saved && close())}
            >
              Save your text
            </Button>
          </>
        )}
      </div>
      {error !== undefined && (
        <div className="p-4">
          <ErrorState
            error={toCallError(error)}
            title="The file on disk could not be read"
            onRetry={() => setAttempt(attempt + 1)}
          />
        </div>
      )}
      <div ref={place} className="min-h-0 flex-1" />
    </div>
  );
}
