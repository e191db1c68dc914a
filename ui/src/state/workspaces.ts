import { type UseQueryResult } from "@tanstack/react-query";
import { type CallError, useCall } from "@/client";
import { type Tone } from "@/components/Badge";
import {
  ALLOWED_STATES,
  type EngineId,
  type EngineInfo,
  type Workspace,
  type WorkspaceAction,
  type WorkspaceId,
  type WorkspaceState,
} from "@/protocol/generated";

export function useWorkspaces(): UseQueryResult<Workspace[], CallError> {
  return useCall("workspace.list", {});
}

export function useWorkspace(id: WorkspaceId): Workspace | undefined {
  return useWorkspaces().data?.find((workspace) => workspace.id === id);
}

export function useEngines(): UseQueryResult<EngineInfo[], CallError> {
  return useCall("engine.list", {});
}

export function useEngine(id: EngineId | undefined): EngineInfo | undefined {
  return useEngines().data?.find((engine) => engine.id === id);
}

/** Whether what was installed in a workspace outlives a stop; where its engine never was ready it is taken for granted. */
export function useKeepsRoot({ engine: id }: Workspace): boolean {
  const engine = useEngine(id);
  return engine?.health !== "ready" || engine.capabilities.keeps_root;
}

export function allows(state: WorkspaceState, action: WorkspaceAction): boolean {
  return ALLOWED_STATES[action].includes(state);
}

export const STATE_WORDS: Record<WorkspaceState, string> = {
  creating: "Creating",
  failed: "Failed",
  starting: "Starting",
  running: "Running",
  paused: "Paused",
  stopping: "Stopping",
  stopped: "Stopped",
  lost: "Container removed",
  stranded: "Machine not answering",
  unreachable: "Engine unreachable",
  deleting: "Deleting",
};

export const STATE_TONES: Record<WorkspaceState, Tone> = {
  creating: "starting",
  failed: "failed",
  starting: "starting",
  running: "running",
  paused: "info",
  stopping: "starting",
  stopped: "stopped",
  lost: "failed",
  stranded: "failed",
  unreachable: "failed",
  deleting: "starting",
};

/** A workspace's state in a word. One whose cluster is switched off is out of reach as it was asked for: no fault. */
export function stateShown(
  { state }: Pick<Workspace, "state">,
  engine: Pick<EngineInfo, "health"> | undefined,
): { tone: Tone; word: string } {
  if (state === "unreachable" && engine?.health === "off")
    return { tone: "stopped", word: "Cluster not used" };
  return { tone: STATE_TONES[state], word: STATE_WORDS[state] };
}

/** Work is under way that ends in another state by itself. */
export function isTransient(state: WorkspaceState): boolean {
  return state === "creating" || state === "starting" || state === "stopping" || state === "deleting";
}

/** Where a workspace's files come from, short: `owner/repo`, a folder's path, or the image. */
export function sourceText(workspace: Workspace): string {
  const { source, image } = workspace.spec;
  switch (source.kind) {
    case "git":
      return repositoryName(source.url);
    case "folder":
      return source.path;
    case "empty":
      if (image.kind === "base") return "Empty workspace";
      // A container that was imported may name its image by nothing but its digest.
      return image.reference.startsWith("sha256:") ? "Imported container" : image.reference;
  }
}

/** `https://github.com/owner/repo.git` → `owner/repo`; a path stays whole. */
export function repositoryName(url: string): string {
  const address = url.replace(/^[a-z+]+:\/\//i, "");
  if (address.startsWith("/")) return address;
  const path = address
    .replace(/^[^/@]+@/, "")
    .replace(/\.git\/?$/, "")
    .replace(/\/$/, "");
  // `host:owner/repo` parts at the colon, `host:8080/owner/repo` has a port there.
  const parts = path
    .replace(/:(?!\d+(\/|$))/, "/")
    .split("/")
    .filter((part) => part !== "");
  return parts.slice(-2).join("/") || url;
}

export function lastUsed(workspace: Workspace): number {
  return workspace.last_used_ms ?? workspace.created_ms;
}
