import { Power, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { sentence, useAction } from "@/client";
import { Button, StateLabel, toastError } from "@/components";
import { DeleteDialog } from "@/dashboard/DeleteDialog";
import { type Workspace } from "@/protocol/generated";
import { allows, STATE_TONES, STATE_WORDS } from "@/state/workspaces";

/** A workspace on its way to another state: what it waits for, and the ways out where that may never come. */
export function UnderWay({ workspace }: { workspace: Workspace }) {
  const { state, name, message } = workspace;
  return (
    <div className="flex h-full flex-col items-center justify-center gap-3 overflow-auto p-6">
      <div role="status" className="flex max-w-120 flex-col items-center gap-2 text-center">
        <StateLabel tone={STATE_TONES[state]} moving>
          {STATE_WORDS[state]} {name}
        </StateLabel>
        {message !== undefined && (
          <p className="max-w-full break-words text-muted select-text">{sentence(message)}</p>
        )}
      </div>
      {message !== undefined && <WaysOut workspace={workspace} />}
    </div>
  );
}

/** Stopping and deleting what does not come up: nothing runs yet that a stop could lose. */
export function WaysOut({ workspace, small = false }: { workspace: Workspace; small?: boolean }): ReactNode {
  const stop = useAction("workspace.stop");
  const [deleting, setDeleting] = useState(false);
  const size = small ? "small" : "medium";
  const iconSize = small ? 12 : 14;
  return (
    <div className="flex shrink-0 flex-wrap justify-center gap-2">
      {allows(workspace.state, "stop") && (
        <Button
          size={size}
          icon={<Power size={iconSize} aria-hidden />}
          busy={stop.isPending}
          onClick={() => stop.mutate({ workspace: workspace.id }, { onError: toastError })}
        >
          Stop
        </Button>
      )}
      {allows(workspace.state, "delete") && (
        <Button
          size={size}
          kind="ghost"
          icon={<Trash2 size={iconSize} aria-hidden />}
          onClick={() => setDeleting(true)}
        >
          Delete
        </Button>
      )}
      <DeleteDialog workspaces={deleting ? [workspace] : []} onClose={() => setDeleting(false)} />
    </div>
  );
}
