import { Badge } from "@/components";
import { type EngineId } from "@/protocol/generated";
import { useEngines } from "@/state/workspaces";

/** An engine's name; red where it cannot be used now. */
export function EngineBadge({ id }: { id: EngineId }) {
  const engine = useEngines().data?.find((entry) => entry.id === id);
  const broken = engine !== undefined && engine.health !== "ready" && engine.health !== "checking";
  return <Badge tone={broken ? "failed" : "stopped"}>{engine?.name ?? id}</Badge>;
}
