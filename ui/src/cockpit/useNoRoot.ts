import { type WorkspaceId } from "@/protocol/generated";
import { useEngine, useWorkspace } from "@/state/workspaces";

/** Why there are no terminals as root in a workspace; undefined where there are. */
export function useNoRoot(id: WorkspaceId): string | undefined {
  const workspace = useWorkspace(id);
  const engine = useEngine(workspace?.engine);
  if (workspace?.spec.profile === "locked") return "A locked workspace has no root.";
  if (engine?.health === "ready" && !engine.capabilities.exec_options)
    return `${engine.name} runs programs only as the workspace’s own user.`;
  return undefined;
}
