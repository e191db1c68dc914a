import { ShipWheel } from "lucide-react";
import { Fold, StateLabel, Switch } from "@/components";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { HEALTH_TONES, healthWord } from "@/dashboard/health";
import { type EngineInfo, type Settings } from "@/protocol/generated";
import { clusterOf, withCluster } from "@/state/clusters";
import { ClusterForm } from "./ClusterForm";
import { Abilities, Facts } from "./EngineFacts";
import { useChangeSettings } from "./save";

/** A context of the kubeconfig. What stands where does not depend on its health: the switch keeps the focus. */
export function ClusterSection({ engine, settings }: { engine: EngineInfo; settings: Settings | undefined }) {
  const { health } = engine;
  return (
    <section className="flex flex-col gap-3 rounded-md border border-line p-3" aria-label={engine.name}>
      <div className="flex items-start justify-between gap-2">
        <h3 className="flex min-w-0 items-start gap-2 font-semibold">
          <ShipWheel size={16} className="mt-0.5 shrink-0 text-faint" aria-hidden />
          <span className="min-w-0 break-words">{engine.name}</span>
        </h3>
        <StateLabel tone={HEALTH_TONES[health]} moving={health === "checking"}>
          {healthWord(engine)}
        </StateLabel>
      </div>
      {health === "off" && <p className="text-sm break-all text-faint select-text">{engine.endpoint}</p>}
      {health !== "off" && <Facts engine={engine} />}
      {health !== "off" && health !== "ready" && health !== "checking" && (
        <EngineProblem engine={engine} compact retry />
      )}
      {settings && <Use engine={engine} settings={settings} />}
      {health === "ready" && <Abilities engine={engine} />}
      {settings && clusterOf(settings, engine).enabled && (
        <div className="border-t border-line pt-3">
          <Fold label="Cluster settings">
            <ClusterForm engine={engine} settings={settings} />
          </Fold>
        </div>
      )}
    </section>
  );
}

function Use({ engine, settings }: { engine: EngineInfo; settings: Settings }) {
  const change = useChangeSettings(settings);
  const { enabled } = clusterOf(settings, engine);
  return (
    <Switch
      label="Use this cluster"
      description={
        enabled
          ? "Switched off, its workspaces run on, but cannot be reached from here."
          : "Workspaces can then be made in it. Nothing is sent to it before."
      }
      checked={enabled}
      onChange={(next) => change(withCluster(settings, engine, { enabled: next }))}
    />
  );
}
