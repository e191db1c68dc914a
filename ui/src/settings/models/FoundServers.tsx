import { useRef } from "react";
import { Badge, Button, ErrorState } from "@/components";
import { type BackendSettings, type BrokerSettings } from "@/protocol/generated";
import { KINDS } from "./servers";
import { useChangeModels, useFoundServers } from "./useModels";

/** Servers that answer on this machine and are not used yet. */
export function FoundServers({ models }: { models: BrokerSettings }) {
  const found = useFoundServers();
  const change = useChangeModels();
  const again = useRef<HTMLButtonElement>(null);
  const add = (server: BackendSettings) => {
    change.mutate((now) => ({ ...now, backends: [...now.backends, server] }));
    // The button goes with its row.
    again.current?.focus();
  };
  // What was just added is asked for anew; until then it is known here.
  const shown = found.data?.filter(({ id }) => models.backends.every((server) => server.id !== id)) ?? [];
  return (
    <section className="flex flex-col gap-2" aria-label="Found on this machine">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 className="font-semibold text-muted">Found on this machine</h2>
        <Button
          ref={again}
          size="small"
          aria-busy={found.isFetching || undefined}
          onClick={() => void found.refetch()}
        >
          Look again
        </Button>
      </div>
      {found.isError && (
        <ErrorState compact title="This machine’s servers could not be looked for" error={found.error} />
      )}
      {change.error && <ErrorState compact title="The server was not added" error={change.error} />}
      <div className="rounded-md border border-line" role="status">
        {shown.length === 0 ? (
          <p className="px-3 py-2 text-faint">
            {found.isPending
              ? "Looking…"
              : `No ${models.backends.length === 0 ? "" : "other "}server answers at the usual ports: 11434, 8080, 1234 and 8000.`}
          </p>
        ) : (
          <ul className="divide-y divide-line">
            {shown.map((server) => (
              <li key={server.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1.5">
                <span className="font-medium break-all">{server.name}</span>
                <Badge>{KINDS[server.kind].label}</Badge>
                <span className="min-w-0 flex-1 font-mono text-sm break-all text-faint">{server.url}</span>
                <Button size="small" aria-label={`Add ${server.name}`} onClick={() => add(server)}>
                  Add
                </Button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
