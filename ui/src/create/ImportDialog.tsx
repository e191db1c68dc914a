import { useQueryClient } from "@tanstack/react-query";
import { Container } from "lucide-react";
import { useState } from "react";
import { callKey, useAction, useCall } from "@/client";
import {
  Button,
  Dialog,
  EmptyState,
  ErrorState,
  Input,
  Loading,
  Select,
  Skeleton,
  StateLabel,
} from "@/components";
import { fuzzyFilter } from "@/lib/fuzzy";
import { type EngineId, type ForeignContainer } from "@/protocol/generated";
import { showOverlay, showWorkspace } from "@/state/navigation";
import { useEngines } from "@/state/workspaces";

const close = () => showOverlay(undefined);

/** Makes a workspace of a container that something else created; the container itself is left as it is. */
export function ImportDialog({ open }: { open: boolean }) {
  return (
    <Dialog
      open={open}
      onClose={close}
      title="Import a container"
      description="It becomes a workspace as it is. Deleting that workspace later leaves the container alone."
      size="medium"
    >
      <ImportBody />
    </Dialog>
  );
}

function ImportBody() {
  const ready = useEngines().data?.filter((engine) => engine.health === "ready") ?? [];
  // What others made in a cluster is managed there, and a pod cannot be taken over as it is.
  const engines = ready.filter((engine) => engine.kind !== "kubernetes");
  const [chosen, setChosen] = useState<EngineId | undefined>();
  const [query, setQuery] = useState("");
  const engine = engines.find((entry) => entry.id === chosen) ?? engines[0];
  if (!engine && ready.length > 0)
    return (
      <EmptyState title="Nothing can be imported from a cluster">
        What others made there is managed there. Containers of Docker and Podman can be imported.
      </EmptyState>
    );
  if (!engine)
    return <EmptyState title="No engine is ready">Containers are shown once an engine answers.</EmptyState>;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex gap-2">
        <Input
          autoFocus
          aria-label="Filter containers"
          placeholder="Filter"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          className="flex-1"
        />
        {engines.length > 1 && (
          <Select
            label="Engine"
            value={engine.id}
            onChange={setChosen}
            options={engines.map((entry) => ({ value: entry.id, label: entry.name }))}
          />
        )}
      </div>
      <Containers engine={engine.id} query={query} />
    </div>
  );
}

function Containers({ engine, query }: { engine: EngineId; query: string }) {
  // Other programs make and remove containers without telling, so the list is read anew while it is shown.
  const containers = useCall("engine.containers", { engine }, { refetchInterval: 5_000 });
  const importing = useAction("workspace.import");
  const queries = useQueryClient();
  if (containers.isError) {
    return (
      <ErrorState
        title="The engine's containers could not be listed"
        error={containers.error}
        onRetry={() => void containers.refetch()}
      />
    );
  }
  if (!containers.data) {
    return (
      <Loading>
        <div className="flex flex-col gap-1">
          {[1, 2, 3].map((row) => (
            <Skeleton key={row} className="h-11" />
          ))}
        </div>
      </Loading>
    );
  }
  const shown = fuzzyFilter(containers.data, query, (container) => `${container.name} ${container.image}`);
  if (shown.length === 0) {
    return (
      <EmptyState
        icon={<Container size={24} />}
        title={query === "" ? "No other containers on this engine" : "No container matches"}
      >
        {query === "" && "Containers that are no workspace yet are listed here."}
      </EmptyState>
    );
  }
  const start = (container: ForeignContainer) =>
    importing.mutate(
      { engine, container: container.id },
      {
        onSuccess: (workspace) => {
          void queries.invalidateQueries({ queryKey: callKey("workspace.list") });
          close();
          showWorkspace(workspace.id);
        },
      },
    );
  return (
    <>
      {importing.error && (
        <ErrorState compact title="The container was not imported" error={importing.error} />
      )}
      <ul className="flex flex-col">
        {shown.map((container) => (
          <li
            key={container.id}
            className="flex h-11 items-center gap-3 border-b border-line last:border-b-0"
          >
            <div className="flex min-w-0 flex-1 flex-col">
              <span className="truncate font-medium">{container.name}</span>
              <span className="truncate font-mono text-xs text-faint">{container.image}</span>
            </div>
            <StateLabel tone={container.running ? "running" : "stopped"}>
              {container.running ? "Running" : "Stopped"}
            </StateLabel>
            <Button
              size="small"
              busy={importing.isPending && importing.variables.container === container.id}
              onClick={() => start(container)}
              aria-label={`Import ${container.name}`}
            >
              Import
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}
