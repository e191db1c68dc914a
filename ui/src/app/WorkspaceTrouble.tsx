import { RotateCcw, Trash2, Unlink, Unplug } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useAction } from "@/client";
import { Button, EmptyState, toastError } from "@/components";
import { DeleteDialog } from "@/dashboard/DeleteDialog";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { LetGoDialog } from "@/dashboard/LetGoDialog";
import { type Workspace } from "@/protocol/generated";
import { openSettings } from "@/state/navigation";
import { allows, useEngine } from "@/state/workspaces";

/** A workspace that cannot be opened as it is: why, and what can be done. */
export function WorkspaceTrouble({ workspace }: { workspace: Workspace }) {
  const [deleting, setDeleting] = useState(false);
  const [lettingGo, setLettingGo] = useState(false);
  const recreate = useAction("workspace.recreate");
  const recreatable = allows(workspace.state, "recreate") && !workspace.imported;
  const engine = useEngine(workspace.engine);
  if (workspace.state === "deleting") {
    return (
      <Middle>
        <EmptyState heading="h1" title={`${workspace.name} is being deleted`} />
      </Middle>
    );
  }
  if (workspace.state === "unreachable" && engine?.health === "off") {
    return (
      <Middle>
        <EmptyState
          heading="h1"
          icon={<Unplug size={24} />}
          title={`The cluster of ${workspace.name} is not used`}
          action={<Button onClick={() => openSettings("engines")}>Show clusters</Button>}
        >
          It opens once the cluster {engine.name} is switched on again. Whatever runs in it runs on.
        </EmptyState>
      </Middle>
    );
  }
  if (workspace.state === "unreachable" && engine && engine.health !== "ready") {
    return (
      <div className="mx-auto flex max-w-140 flex-col gap-3 p-6">
        <h1 className="text-lg font-semibold">{workspace.name} cannot be reached</h1>
        <p className="text-muted">It opens by itself once its engine answers again.</p>
        <EngineProblem engine={engine} />
      </div>
    );
  }
  return (
    <Middle>
      <EmptyState
        heading="h1"
        icon={<Unplug size={24} />}
        title={title(workspace)}
        action={
          <div className="flex flex-wrap justify-center gap-2">
            {recreatable && (
              <Button
                kind="primary"
                icon={<RotateCcw size={14} />}
                busy={recreate.isPending}
                onClick={() => recreate.mutate({ workspace: workspace.id }, { onError: toastError })}
              >
                Recreate container
              </Button>
            )}
            {allows(workspace.state, "let_go") && (
              <Button icon={<Unlink size={14} />} onClick={() => setLettingGo(true)}>
                Let go…
              </Button>
            )}
            <Button
              kind={recreatable ? "secondary" : "danger"}
              icon={<Trash2 size={14} />}
              onClick={() => setDeleting(true)}
            >
              Delete workspace
            </Button>
          </div>
        }
      >
        {workspace.message ??
          "Something other than AiCockpit removed it. What is left of the workspace can be deleted."}
        {workspace.state === "stranded" && " It opens by itself once the machine is back."}
      </EmptyState>
      <LetGoDialog workspace={lettingGo ? workspace : undefined} onClose={() => setLettingGo(false)} />
      <DeleteDialog workspaces={deleting ? [workspace] : []} onClose={() => setDeleting(false)} />
    </Middle>
  );
}

function title({ name, state }: Workspace): string {
  if (state === "lost") return `The container of ${name} was removed`;
  if (state === "stranded") return `The machine of ${name} does not answer`;
  return `${name} cannot be opened`;
}

function Middle({ children }: { children: ReactNode }) {
  return <div className="flex h-full flex-col justify-center">{children}</div>;
}
