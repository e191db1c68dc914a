import { CircleAlert, History } from "lucide-react";
import { useEffect, useState } from "react";
import { toCallError, useCall, useClient, type CallError } from "@/client";
import { fromApiError } from "@/client";
import { Dialog, EmptyState, ErrorState, Loading, Skeleton, Tabs, VirtualList } from "@/components";
import { formatExactTime } from "@/lib/format";
import { type Workspace } from "@/protocol/generated";
import { appendLines } from "./logLines";

export interface Inspected {
  workspace: Workspace;
  tab: "logs" | "timeline";
}

/** What a container wrote, and what happened to its workspace. */
export function InspectDialog({
  inspected,
  onChange,
}: {
  inspected: Inspected | undefined;
  onChange: (inspected: Inspected | undefined) => void;
}) {
  return (
    <Dialog
      open={inspected !== undefined}
      onClose={() => onChange(undefined)}
      title={inspected?.workspace.name ?? ""}
      size="large"
    >
      {inspected && (
        <Tabs
          label="About this workspace"
          value={inspected.tab}
          onChange={(tab) => onChange({ ...inspected, tab })}
          tabs={[
            { value: "logs", label: "Container output", content: <Logs workspace={inspected.workspace} /> },
            { value: "timeline", label: "Timeline", content: <Timeline workspace={inspected.workspace} /> },
          ]}
        />
      )}
    </Dialog>
  );
}

function Logs({ workspace }: { workspace: Workspace }) {
  const client = useClient();
  const [lines, setLines] = useState<readonly string[]>([]);
  const [state, setState] = useState<"opening" | "open" | "ended">("opening");
  const [error, setError] = useState<CallError | undefined>();
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    const read = async () => {
      const { stream: id } = await client.call(
        "workspace.logs",
        { workspace: workspace.id },
        { signal: abort.signal },
      );
      const stream = client.stream(id);
      if (abort.signal.aborted) return stream.close();
      abort.signal.addEventListener("abort", () => stream.close());
      setState("open");
      const decoder = new TextDecoder();
      stream.onData((bytes, consumed) => {
        const text = decoder.decode(bytes, { stream: true });
        setLines((old) => appendLines(old, text));
        consumed();
      });
      const end = await stream.ended;
      if (abort.signal.aborted) return;
      if (end.kind === "failed") setError(fromApiError(end.error));
      else setState("ended");
    };
    read().catch((cause: unknown) => {
      if (!abort.signal.aborted) setError(toCallError(cause));
    });
    return () => abort.abort();
  }, [client, workspace.id, attempt]);

  if (error) {
    return (
      <ErrorState
        title="The container's output could not be read"
        error={error}
        onRetry={() => {
          setError(undefined);
          setLines([]);
          setState("opening");
          setAttempt(attempt + 1);
        }}
      />
    );
  }
  if (lines.length === 0) {
    return state === "opening" ? (
      <Loading>
        <Skeleton className="h-40" />
      </Loading>
    ) : (
      <EmptyState title="The container has written nothing">
        This is what the container&apos;s own program prints, not what happens in terminals.
      </EmptyState>
    );
  }
  return (
    <VirtualList
      role="log"
      aria-label={`Output of ${workspace.name}`}
      tabIndex={0}
      follow
      className="h-[52vh] rounded-sm border border-line bg-code-bg p-2 font-mono text-sm text-fg select-text"
      items={lines}
      itemKey={(_, index) => index}
      rowHeight={18}
      renderRow={(line) => <div className="leading-[18px] whitespace-pre">{line}</div>}
    />
  );
}

function Timeline({ workspace }: { workspace: Workspace }) {
  const timeline = useCall("workspace.timeline", { workspace: workspace.id }, { refetchInterval: 5_000 });
  if (timeline.isError) {
    return (
      <ErrorState
        title="The timeline could not be read"
        error={timeline.error}
        onRetry={() => void timeline.refetch()}
      />
    );
  }
  if (!timeline.data) {
    return (
      <Loading>
        <Skeleton className="h-40" />
      </Loading>
    );
  }
  if (timeline.data.length === 0)
    return <EmptyState icon={<History size={24} />} title="Nothing has happened yet" />;
  return (
    <ol className="flex flex-col">
      {timeline.data.toReversed().map((entry) => (
        <li
          key={`${entry.at_ms} ${entry.text}`}
          className="flex flex-col gap-x-3 border-b border-line py-1.5 last:border-b-0 sm:flex-row"
        >
          <time
            dateTime={new Date(entry.at_ms).toISOString()}
            className="shrink-0 text-sm leading-5 text-faint tabular-nums sm:w-44"
          >
            {formatExactTime(entry.at_ms)}
          </time>
          <span className="flex min-w-0 flex-1 gap-1.5 wrap-anywhere select-text">
            {entry.failed && (
              <CircleAlert size={14} className="mt-0.5 shrink-0 text-failed" aria-label="failed" />
            )}
            {entry.text}
          </span>
        </li>
      ))}
    </ol>
  );
}
