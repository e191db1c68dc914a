import { ShipWheel } from "lucide-react";
import { Button } from "@/components";
import { type EngineInfo } from "@/protocol/generated";
import { openSettings } from "@/state/navigation";

/** Clusters that could be used where no engine can: what there is, and where to switch it on. */
export function ClusterOffer({ engines }: { engines: readonly EngineInfo[] }) {
  const clusters = engines.filter((engine) => engine.health === "off");
  const [first, ...more] = clusters;
  if (first === undefined) return null;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md border border-line bg-surface p-3">
      <ShipWheel size={16} className="shrink-0 text-faint" aria-hidden />
      <p className="min-w-0 flex-1 basis-60 break-words text-muted">
        {more.length === 0
          ? `The kubeconfig of this host names a cluster, ${first.name}. `
          : `The kubeconfig of this host names ${clusters.length} clusters. `}
        Workspaces can run there once it is switched on.
      </p>
      <Button onClick={() => openSettings("engines")}>
        {more.length === 0 ? "Use the cluster" : "Choose a cluster"}
      </Button>
    </div>
  );
}
