import { type EngineInfo, type Workspace } from "@/protocol/generated";

/** Key of the UI's state under which a workspace is not asked about again. */
export function stopAskedKey(workspace: string): string {
  return `workspace/${workspace}/stop-asked`;
}

/** Those of the workspaces that lose what lies outside their volume when they stop: only what has run can lose it. */
export function losingOnStop(
  workspaces: readonly Workspace[],
  engines: readonly EngineInfo[],
): readonly Workspace[] {
  return workspaces.filter(({ engine, state }) => {
    const found = engines.find((entry) => entry.id === engine);
    const ran = state === "running" || state === "paused";
    // Before an engine was ready once, its abilities say nothing.
    return ran && found?.health === "ready" && !found.capabilities.keeps_root;
  });
}
