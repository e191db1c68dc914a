import { useState } from "react";
import { sentence, useAction } from "@/client";
import { Button, Dialog, ErrorState } from "@/components";
import { type Workspace } from "@/protocol/generated";

/** Warns, then lets a workspace on a machine that does not answer go. Open while there is a `workspace`. */
export function LetGoDialog({
  workspace,
  onClose,
}: {
  workspace: Workspace | undefined;
  onClose: () => void;
}) {
  return (
    <Dialog
      open={workspace !== undefined}
      onClose={onClose}
      title={workspace ? `Let ${workspace.name} go?` : ""}
    >
      {workspace && <LetGoBody workspace={workspace} onClose={onClose} />}
    </Dialog>
  );
}

function LetGoBody({ workspace, onClose }: { workspace: Workspace; onClose: () => void }) {
  const letGo = useAction("workspace.let_go");
  // What is known of the machine was read when the dialog opened; it may come back meanwhile.
  const [known] = useState(workspace.message);
  return (
    <div className="flex flex-col gap-4">
      {known !== undefined && <p className="break-words text-muted">{sentence(known)}</p>}
      <p className="text-muted">
        What runs there may still run, and write to the volume together with whatever is started next. Unsaved
        work in its terminals is lost.
      </p>
      <p className="font-medium">
        Do this only when that machine is really gone. Its volume stays, and the workspace can then run on
        another machine.
      </p>
      {letGo.isError && <ErrorState compact title={`${workspace.name} was not let go`} error={letGo.error} />}
      <div className="flex justify-end gap-2">
        {/* A stray Enter must not do it. */}
        <Button kind="ghost" autoFocus onClick={onClose}>
          Wait for the machine
        </Button>
        <Button
          kind="danger"
          busy={letGo.isPending}
          onClick={() => letGo.mutate({ workspace: workspace.id }, { onSuccess: onClose })}
        >
          Let it go
        </Button>
      </div>
    </div>
  );
}
