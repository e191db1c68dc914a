import { type Client } from "@/client";
import { type Workspace } from "@/protocol/generated";
import { allows } from "@/state/workspaces";

/** A workspace that was not deleted. */
export interface DeleteFailure {
  name: string;
  error: unknown;
}

/** Those of the workspaces whose machine does not answer. */
export function strandedOf(workspaces: readonly Workspace[]): readonly Workspace[] {
  return workspaces.filter(({ state }) => allows(state, "let_go"));
}

/** Deletes all of them, with `letGo` also where that takes letting them go first. Those that were not, and why. */
export async function deleteAll(
  client: Pick<Client, "call">,
  workspaces: readonly Workspace[],
  letGo: boolean,
): Promise<readonly DeleteFailure[]> {
  const gone = letGo ? strandedOf(workspaces) : [];
  const results = await Promise.allSettled(
    workspaces.map(async (workspace) => {
      const target = { workspace: workspace.id };
      if (gone.includes(workspace)) await client.call("workspace.let_go", target);
      await client.call("workspace.delete", target);
    }),
  );
  return results.flatMap((result, i) =>
    result.status === "rejected"
      ? [{ name: workspaces[i]?.name ?? "", error: result.reason as unknown }]
      : [],
  );
}
