import { useAction, useCall } from "@/client";
import { Button, ErrorState, Loading, Skeleton, StateLabel } from "@/components";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { HEALTH_TONES, healthWord } from "@/dashboard/health";
import { type EngineInfo } from "@/protocol/generated";
import { useEngines } from "@/state/workspaces";
import { ClusterSection } from "./ClusterSection";
import { Abilities, Facts } from "./EngineFacts";
import { Page } from "./Page";

export function EnginesPage() {
  const engines = useEngines();
  const settings = useCall("settings.get", {});
  const refresh = useAction("engine.refresh");
  const clusters = engines.data?.filter((engine) => engine.kind === "kubernetes") ?? [];
  return (
    <Page title="Engines">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-muted">
          Workspaces run on the container engines of this host. Each is found by itself.
        </p>
        <Button busy={refresh.isPending} onClick={() => refresh.mutate({})}>
          Look again
        </Button>
      </div>
      {refresh.error && <ErrorState compact title="Engines could not be looked for" error={refresh.error} />}
      {engines.isError && (
        <ErrorState
          title="The engines could not be listed"
          error={engines.error}
          onRetry={() => void engines.refetch()}
        />
      )}
      {engines.isPending && (
        <Loading>
          <Skeleton className="h-40" />
        </Loading>
      )}
      {engines.data
        ?.filter((engine) => engine.kind !== "kubernetes")
        .map((engine) =>
          engine.health === "ready" ? (
            <ReadyEngine key={engine.id} engine={engine} />
          ) : (
            <EngineProblem key={engine.id} engine={engine} />
          ),
        )}
      {clusters.length > 0 && (
        <div className="flex flex-col gap-1">
          <h2 className="text-lg font-semibold">Clusters</h2>
          <p className="text-muted">
            The contexts of the kubeconfig. None is spoken to before it is switched on here.
          </p>
        </div>
      )}
      {clusters.length > 0 && settings.isError && (
        <ErrorState
          title="The settings of the clusters could not be read"
          error={settings.error}
          onRetry={() => void settings.refetch()}
        />
      )}
      {clusters.map((engine) => (
        <ClusterSection key={engine.id} engine={engine} settings={settings.data} />
      ))}
    </Page>
  );
}

function ReadyEngine({ engine }: { engine: EngineInfo }) {
  return (
    <section className="flex flex-col gap-3 rounded-md border border-line p-3" aria-label={engine.name}>
      <div className="flex items-center justify-between gap-2">
        <h2 className="font-semibold">{engine.name}</h2>
        <StateLabel tone={HEALTH_TONES[engine.health]}>{healthWord(engine)}</StateLabel>
      </div>
      <Facts engine={engine} />
      <Abilities engine={engine} />
    </section>
  );
}
