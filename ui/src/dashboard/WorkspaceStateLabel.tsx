import { StateLabel } from "@/components";
import { type Workspace } from "@/protocol/generated";
import { isTransient, stateShown, useEngine } from "@/state/workspaces";

/** A workspace's state as dot and word. */
export function WorkspaceStateLabel({ workspace }: { workspace: Workspace }) {
  const { tone, word } = stateShown(workspace, useEngine(workspace.engine));
  return (
    <StateLabel tone={tone} moving={isTransient(workspace.state)}>
      {word}
    </StateLabel>
  );
}
