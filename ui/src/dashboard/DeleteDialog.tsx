import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { callQuery, useClient } from "@/client";
import { Button, Checkbox, Dialog, ErrorState, Skeleton } from "@/components";
import { plural } from "@/lib/format";
import { type DeletePreview, type Workspace } from "@/protocol/generated";
import { deleteAll, strandedOf, type DeleteFailure } from "./deleting";

const LET_GO = "Let it go: the machine is really gone";

/** Names what deleting would lose, then deletes. Open while `workspaces` is not empty. */
export function DeleteDialog({
  workspaces,
  onClose,
}: {
  workspaces: readonly Workspace[];
  onClose: () => void;
}) {
  const first = workspaces[0];
  const title =
    workspaces.length === 1 && first
      ? `Delete ${first.name}?`
      : `Delete ${plural(workspaces.length, "workspace")}?`;
  return (
    <Dialog open={workspaces.length > 0} onClose={onClose} title={title}>
      <DeleteBody workspaces={workspaces} onClose={onClose} />
    </Dialog>
  );
}

function DeleteBody({ workspaces, onClose }: { workspaces: readonly Workspace[]; onClose: () => void }) {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [letGo, setLetGo] = useState(false);
  const stranded = strandedOf(workspaces);
  const [failures, setFailures] = useState<readonly DeleteFailure[]>([]);
  const previews = useQueries({
    queries: workspaces.map((workspace) => ({
      ...callQuery(client, "workspace.delete_preview", { workspace: workspace.id }),
      // What would be lost is asked at this moment, never remembered.
      gcTime: 0,
      staleTime: 0,
    })),
  });
  const confirm = async () => {
    setBusy(true);
    const failed = await deleteAll(client, workspaces, letGo);
    setBusy(false);
    setFailures(failed);
    if (failed.length === 0) onClose();
  };
  return (
    <div className="flex flex-col gap-4">
      <ul className="flex flex-col gap-3">
        {workspaces.map((workspace, i) => {
          const preview = previews[i];
          return (
            <li key={workspace.id} className="flex flex-col gap-1">
              {workspaces.length > 1 && <span className="font-medium">{workspace.name}</span>}
              {preview?.isPending === true && <Skeleton className="h-5 w-60" />}
              {preview?.isError === true && (
                <p className="text-muted">
                  What would be lost could not be found out: {preview.error.message} Everything in it goes.
                </p>
              )}
              {preview?.data && <Losses workspace={workspace} preview={preview.data} />}
            </li>
          );
        })}
      </ul>
      {stranded.length > 0 && (
        <div className="flex flex-col gap-2 text-muted">
          <p>
            {stranded.length === 1 && workspaces.length === 1
              ? "Its machine does not answer."
              : `The machines of ${stranded.map(({ name }) => name).join(", ")} do not answer.`}{" "}
            What is there goes only once it is back, unless you let it go. What runs there may then run on,
            with nobody to end it.
          </p>
          <Checkbox checked={letGo} onChange={setLetGo} label={LET_GO}>
            {LET_GO}
          </Checkbox>
        </div>
      )}
      {failures.map(({ name, error }) => (
        <ErrorState key={name} compact title={`${name} was not deleted`} error={error} />
      ))}
      <div className="flex justify-end gap-2">
        {/* A stray Enter must not delete. */}
        <Button kind="ghost" autoFocus onClick={onClose}>
          Keep
        </Button>
        <Button kind="danger" busy={busy} onClick={() => void confirm()}>
          {workspaces.length === 1 ? "Delete workspace" : `Delete ${plural(workspaces.length, "workspace")}`}
        </Button>
      </div>
    </div>
  );
}

/** What goes and what stays, one line each. */
function Losses({ workspace, preview }: { workspace: Workspace; preview: DeletePreview }) {
  const { uncommitted_files: files, unpushed_commits: commits, busy_terminals: terminals } = preview;
  const lost = [
    files !== undefined && files > 0 && `${plural(files, "changed file")} not committed`,
    commits !== undefined && commits > 0 && `${plural(commits, "commit")} that no remote has`,
    terminals > 0 && `${plural(terminals, "terminal")} with a running command`,
  ].filter((line) => line !== false);
  const unknown = preview.volume && (files === undefined || commits === undefined);
  return (
    <div className="flex flex-col gap-1 text-muted">
      {lost.length > 0 && (
        <>
          <p>What is nowhere else and will be lost:</p>
          <ul className="mb-1 flex list-disc flex-col pl-5 font-medium text-failed">
            {lost.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      )}
      {workspace.imported ? (
        <p>The container was imported: it stays as it is. Only AiCockpit forgets it.</p>
      ) : (
        <p>
          {preview.volume
            ? "The container and the volume with all its files go, for good."
            : "The container goes, with everything outside the mounted folder."}
        </p>
      )}
      {preview.kept_folder !== undefined && (
        <p>
          The folder <code className="font-mono text-sm break-all text-fg">{preview.kept_folder}</code> stays
          untouched.
        </p>
      )}
      {unknown && (
        <p>
          Whether there is work that Git has nowhere else could not be checked while the workspace does not
          run.
        </p>
      )}
    </div>
  );
}
