import { type IDockviewPanelProps } from "dockview-react";
import { ScrollText } from "lucide-react";
import { useEffect, useState } from "react";
import { toCallError, useClient, useConnection } from "@/client";
import { EmptyState, ErrorState, VirtualList } from "@/components";
import { useWorkspace } from "@/state/workspaces";
import { useVisible } from "../editor/FilePane";
import { shown } from "../model/path";
import { useCockpit } from "../session/context";

const KEPT_LINES = 10_000;
const ROW_HEIGHT = 18;

// eslint-disable-next-line no-control-regex -- a log is shown as plain text: its colours are left out
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|.)/g;

/** The container's own output: what its main program writes. Read only while it is seen. */
export function LogsPane({ api }: IDockviewPanelProps) {
  const { session, active } = useCockpit();
  const client = useClient();
  const connected = useConnection().kind === "connected";
  const state = useWorkspace(session.workspace)?.state;
  const visible = useVisible(api) && active;
  const [lines, setLines] = useState<string[]>([]);
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (!visible || !connected) return;
    let close: (() => void) | undefined;
    let gone = false;
    const decoder = new TextDecoder();
    let rest = "";
    let gathered: string[] = [];
    let frame = 0;
    const show = () => {
      frame = 0;
      const added = gathered;
      gathered = [];
      setLines((before) => [...before, ...added].slice(-KEPT_LINES));
    };
    client.call("workspace.logs", { workspace: session.workspace }).then(
      ({ stream: id }) => {
        const stream = client.stream(id);
        if (gone) return stream.close();
        close = () => stream.close();
        setLines([]);
        setError(undefined);
        stream.onData((bytes, consumed) => {
          const parts = (rest + decoder.decode(bytes, { stream: true })).replace(ESCAPES, "").split(/\r?\n/);
          rest = parts.pop() ?? "";
          gathered.push(...parts);
          frame ||= requestAnimationFrame(show);
          consumed();
        });
        void stream.ended.then((end) => {
          if (gone) return;
          if (rest !== "") gathered.push(rest);
          frame ||= requestAnimationFrame(show);
          if (end.kind === "failed") setError(end.error);
        });
      },
      (failed: unknown) => {
        if (!gone) setError(failed);
      },
    );
    return () => {
      gone = true;
      cancelAnimationFrame(frame);
      close?.();
    };
  }, [client, session, visible, connected, state, attempt]);

  if (error !== undefined) {
    const shownError = error instanceof Error ? toCallError(error) : error;
    return (
      <div className="p-3">
        <ErrorState
          compact
          title="The container’s output could not be read"
          error={shownError}
          onRetry={() => setAttempt(attempt + 1)}
        />
      </div>
    );
  }
  if (lines.length === 0) {
    return (
      <EmptyState icon={<ScrollText size={24} strokeWidth={1.5} />} title="The container has written nothing">
        What the container’s main program writes is shown here. The output of terminals is in the terminals.
      </EmptyState>
    );
  }
  return (
    <VirtualList
      role="log"
      aria-label="Container output"
      tabIndex={0}
      data-focus-target
      className="h-full bg-code-bg py-1 font-mono text-sm select-text"
      items={lines}
      itemKey={(_line, index) => index}
      rowHeight={ROW_HEIGHT}
      follow
      renderRow={(line) => <div className="px-3 leading-[18px] whitespace-pre">{shown(line)}</div>}
    />
  );
}
