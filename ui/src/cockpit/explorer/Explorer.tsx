import { CopyMinus, FilePlus, FolderOpen, FolderPlus, RefreshCw, Upload } from "lucide-react";
import { Button, ContextMenu, EmptyState, ErrorState, IconButton, Loading, Skeleton } from "@/components";
import { cx } from "@/lib/cx";
import { useWorkspace } from "@/state/workspaces";
import { basename, shown } from "../model/path";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import { menuFor } from "./menu";
import { Tree } from "./Tree";
import { chooseUpload } from "./upload";
import { useDropTarget } from "./useDropTarget";

/** The workspace's files as a tree. */
export function Explorer() {
  const session = useSession();
  const { root, rows, rootState } = useModel(session.tree);
  return (
    <section aria-label="Explorer" className="flex h-full min-h-0 flex-col">
      <Header />
      {rootState.state === "loading" && rows.length === 0 ? (
        <Loading>
          <div className="flex flex-col gap-2 p-3">
            {[60, 80, 45, 70, 55].map((width, index) => (
              <div key={index} style={{ width: `${width}%` }}>
                <Skeleton className="h-3.5" />
              </div>
            ))}
          </div>
        </Loading>
      ) : rootState.state === "failed" ? (
        <div className="p-3">
          <ErrorState
            compact
            title={`${shown(root)} could not be read`}
            error={new Error(rootState.error)}
            onRetry={() => void session.tree.refresh([root])}
          />
        </div>
      ) : rows.length === 0 ? (
        <EmptyFolder />
      ) : (
        <Tree />
      )}
    </section>
  );
}

function Header() {
  const session = useSession();
  const { tree, inside, workspace } = session;
  const name = useWorkspace(workspace)?.name;
  return (
    <header className="flex h-9 shrink-0 items-center gap-0.5 pr-2 pl-3">
      <h2 className="min-w-0 flex-1 truncate text-sm font-semibold text-muted" title={inside.folder}>
        {name ?? shown(basename(inside.folder) || "/")}
      </h2>
      <IconButton
        size="small"
        label="New file"
        icon={<FilePlus size={16} />}
        onClick={() => tree.startEdit({ kind: "create", parent: tree.target, directory: false })}
      />
      <IconButton
        size="small"
        label="New folder"
        icon={<FolderPlus size={16} />}
        onClick={() => tree.startEdit({ kind: "create", parent: tree.target, directory: true })}
      />
      <IconButton
        size="small"
        label="Upload files"
        icon={<Upload size={14} />}
        onClick={() => chooseUpload(session, tree.target)}
      />
      <IconButton
        size="small"
        label="Refresh"
        icon={<RefreshCw size={14} />}
        onClick={() => void tree.refreshAll()}
      />
      <IconButton
        size="small"
        label="Collapse all folders"
        icon={<CopyMinus size={14} />}
        onClick={() => tree.collapseAll()}
      />
    </header>
  );
}

function EmptyFolder() {
  const session = useSession();
  const drop = useDropTarget();
  return (
    <ContextMenu entries={menuFor(session)}>
      <div
        className={cx("min-h-0 flex-1", drop.on !== undefined && "bg-selected")}
        {...drop.handlers(undefined)}
        onDragLeave={drop.leave}
      >
        <EmptyState
          icon={<FolderOpen size={24} strokeWidth={1.5} />}
          title="This folder is empty"
          action={
            <Button
              icon={<FilePlus size={14} aria-hidden />}
              onClick={() =>
                session.tree.startEdit({ kind: "create", parent: session.tree.root, directory: false })
              }
            >
              New file
            </Button>
          }
        >
          Create a file, drop files here, or clone a repository in the terminal.
        </EmptyState>
      </div>
    </ContextMenu>
  );
}
