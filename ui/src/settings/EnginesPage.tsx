import { Check, Minus } from "lucide-react";
import { useAction } from "@/client";
import { Button, ErrorState, Loading, Skeleton, StateLabel } from "@/components";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { HEALTH_TONES, HEALTH_WORDS } from "@/dashboard/health";
import { type EngineCapabilities, type EngineInfo } from "@/protocol/generated";
import { useEngines } from "@/state/workspaces";
import { Page } from "./Page";

const ABILITIES: Record<keyof EngineCapabilities, string> = {
  pause: "Pause and resume",
  commit: "Save as image",
  memory_limit: "Memory limits",
  cpu_limit: "CPU limits",
  pids_limit: "Process limits",
  stats: "Figures of use",
  gpu: "GPU",
  rootless: "Runs without root",
  keep_id: "Keeps owners of host folders",
  custom_subnet: "Networks of our own range",
};

export function EnginesPage() {
  const engines = useEngines();
  const refresh = useAction("engine.refresh");
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
      {engines.data?.map((engine) =>
        engine.health === "ready" ? (
          <ReadyEngine key={engine.id} engine={engine} />
        ) : (
          <EngineProblem key={engine.id} engine={engine} />
        ),
      )}
    </Page>
  );
}

function ReadyEngine({ engine }: { engine: EngineInfo }) {
  const facts = [
    ["Version", engine.version],
    ["Architecture", engine.architecture],
    ["Reached by", engine.endpoint],
  ] as const;
  return (
    <section className="flex flex-col gap-3 rounded-md border border-line p-3" aria-label={engine.name}>
      <div className="flex items-center justify-between gap-2">
        <h2 className="font-semibold">{engine.name}</h2>
        <StateLabel tone={HEALTH_TONES[engine.health]}>{HEALTH_WORDS[engine.health]}</StateLabel>
      </div>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
        {facts.map(
          ([word, value]) =>
            value !== undefined && (
              <div key={word} className="contents">
                <dt className="text-faint">{word}</dt>
                <dd className="break-all select-text">{value}</dd>
              </div>
            ),
        )}
      </dl>
      <ul className="grid grid-cols-1 gap-x-4 gap-y-1 border-t border-line pt-3 sm:grid-cols-2">
        {(Object.entries(ABILITIES) as [keyof EngineCapabilities, string][]).map(([ability, word]) => (
          <li key={ability} className="flex items-center gap-2 text-sm text-muted">
            {engine.capabilities[ability] ? (
              <Check size={14} className="text-running" aria-label="yes" />
            ) : (
              <Minus size={14} className="text-faint" aria-label="no" />
            )}
            {word}
          </li>
        ))}
      </ul>
    </section>
  );
}
