import { ShipWheel } from "lucide-react";
import { Badge } from "@/components";
import { cx } from "@/lib/cx";
import { type EngineId } from "@/protocol/generated";
import { shortContext } from "@/state/clusters";
import { useEngine } from "@/state/workspaces";
import { isTrouble } from "./health";

/** An engine's name; red where it cannot be used now. A cluster is named by its context, which says nothing itself. */
export function EngineBadge({ id }: { id: EngineId }) {
  const engine = useEngine(id);
  const cluster = engine?.kind === "kubernetes";
  const name = engine?.name ?? id;
  return (
    <Badge
      tone={engine !== undefined && isTrouble(engine) ? "failed" : "stopped"}
      icon={cluster && <ShipWheel size={12} className="shrink-0" aria-label="Kubernetes" />}
    >
      <span className={cx("truncate", cluster ? "max-w-26" : "max-w-36")} title={name}>
        {cluster ? shortContext(name) : name}
      </span>
    </Badge>
  );
}
