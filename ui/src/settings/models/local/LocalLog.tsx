import { CopyButton, ErrorState, Loading, Skeleton, VirtualList } from "@/components";
import { type LocalServerSettings } from "@/protocol/generated";
import { useLocalLog } from "./useLocal";

/** What a server wrote, its last lines in view; asked for while it is shown. */
export function LocalLog({ server }: { server: LocalServerSettings }) {
  const log = useLocalLog(server.id);
  if (log.isError)
    return (
      <ErrorState
        compact
        title="The log could not be read"
        error={log.error}
        onRetry={() => void log.refetch()}
      />
    );
  if (!log.data)
    return (
      <Loading>
        <Skeleton className="h-40" />
      </Loading>
    );
  if (log.data.length === 0)
    return (
      <p className="rounded-md bg-surface px-3 py-2 text-sm text-muted">
        It has written nothing yet: it writes when it starts.
      </p>
    );
  return (
    <div className="relative">
      <VirtualList
        role="log"
        aria-label={`Log of ${server.name}`}
        // Scrollable text must be reachable by keyboard.
        tabIndex={0}
        follow
        className="h-60 rounded-md border border-line bg-code-bg p-2 pr-9 font-mono text-sm text-fg select-text"
        items={log.data}
        itemKey={(_, index) => index}
        rowHeight={18}
        renderRow={(line) => <div className="leading-[18px] whitespace-pre">{line}</div>}
      />
      <CopyButton text={log.data.join("\n")} className="absolute top-1 right-3 bg-code-bg" />
    </div>
  );
}
