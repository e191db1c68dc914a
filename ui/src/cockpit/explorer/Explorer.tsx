import { useVirtualizer } from "@tanstack/react-virtual";
import {
  Clipboard,
  Columns2,
  Copy,
  CopyMinus,
  Download,
  FilePlus,
  FolderOpen,
  FolderPlus,
  Pencil,
  RefreshCw,
  Scissors,
  Search,
  SquareTerminal,
  Trash2,
  Upload,
} from "lucide-react";
import { useEffect, useRef, useState, type DragEvent, type KeyboardEvent } from "react";
import {
  ContextMenu,
  EmptyState,
  ErrorState,
  IconButton,
  Loading,
  Skeleton,
  type MenuEntry,
} from "@/components";
import { cx } from "@/lib/cx";
import { useWorkspace } from "@/state/workspaces";
import { basename, dirname, shown } from "../model/path";
import { type TreeRow } from "../model/tree";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import {
  copyText,
  createEntry,
  deleteEntries,
  downloadEntry,
  droppedFiles,
  placeEntries,
  relativeTo,
  renameEntry,
  uploadFiles,
} from "./files";
import { DRAGGED_PATHS as PATHS, writeDragged, readDragged } from "./drag";
import { NameRow, NodeRow, ROW_HEIGHT } from "./TreeRow";

const OPEN_FOLDER_MS = 600;
const PAGE = 20;

/** The folder that a row stands for as the target of a drop. */
function dropDirectory(row: TreeRow | undefined, root: string): string {
  if (!row) return root;
  if (row.kind !== "node") return row.parent;
  return row.node.directory ? row.node.path : dirname(row.node.path);
}

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
      ) : (
        <Tree />
      )}
    </section>
  );
}

function Header() {
  const { tree, inside, workspace } = useSession();
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

function Tree() {
  const session = useSession();
  const tree = useModel(session.tree);
  const git = useModel(session.git);
  const { rows } = tree;
  const viewport = useRef<HTMLDivElement>(null);
  const [treeFocused, setTreeFocused] = useState(false);
  const [dropOn, setDropOn] = useState<string>();
  const openTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 16,
  });
  const { focused, edit } = tree;
  const focusIndex = focused === undefined ? -1 : tree.indexOf(focused);
  // The focus is kept in view when it moves, not when rows come and go around it.
  useEffect(() => {
    const index = focused === undefined ? -1 : session.tree.indexOf(focused);
    if (index >= 0) virtualizer.scrollToIndex(index);
  }, [focused, session, virtualizer]);
  useEffect(() => {
    if (edit?.kind !== "create") return;
    const index = session.tree.rows.findIndex((row) => row.kind === "input");
    if (index >= 0) virtualizer.scrollToIndex(index);
  }, [edit, session, virtualizer]);

  const endEdit = () => {
    tree.endEdit();
    viewport.current?.focus();
  };

  const onDragOver = (event: DragEvent, row: TreeRow | undefined) => {
    const { types } = event.dataTransfer;
    if (!types.includes(PATHS) && !types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect =
      types.includes("Files") || event.ctrlKey || event.altKey ? "copy" : "move";
    const target = dropDirectory(row, tree.root);
    if (target === dropOn) return;
    setDropOn(target);
    clearTimeout(openTimer.current);
    if (!tree.isExpanded(target))
      openTimer.current = setTimeout(() => void tree.expand(target), OPEN_FOLDER_MS);
  };
  const onDrop = (event: DragEvent, row: TreeRow | undefined) => {
    event.preventDefault();
    event.stopPropagation();
    clearTimeout(openTimer.current);
    setDropOn(undefined);
    const target = dropDirectory(row, tree.root);
    const dragged = readDragged(event.dataTransfer, session.workspace);
    if (dragged) {
      void placeEntries(session, dragged, target, event.ctrlKey || event.altKey);
      return;
    }
    void droppedFiles(event.dataTransfer).then((files) => uploadFiles(session, target, files));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || edit) return;
    const { key } = event;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const node = focused === undefined ? undefined : tree.node(focused);
    const handled = () => {
      event.preventDefault();
      event.stopPropagation();
    };
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      if (key === "c" || key === "x") {
        tree.setClipboard({ paths: tree.chosen, cut: key === "x" });
        handled();
      } else if (key === "v") {
        paste();
        handled();
      } else if (key === "a") {
        tree.focusEdge(false);
        const last = [...rows].reverse().find((row) => row.kind === "node");
        if (last?.kind === "node") tree.selectTo(last.node.path);
        handled();
      }
      return;
    }
    if (!plain) return;
    if (key === "ArrowDown") tree.moveFocus(1, event.shiftKey);
    else if (key === "ArrowUp") tree.moveFocus(-1, event.shiftKey);
    else if (key === "PageDown") tree.moveFocus(PAGE, event.shiftKey);
    else if (key === "PageUp") tree.moveFocus(-PAGE, event.shiftKey);
    else if (key === "Home") tree.focusEdge(false);
    else if (key === "End") tree.focusEdge(true);
    else if (key === "ArrowLeft") void tree.left();
    else if (key === "ArrowRight") void tree.right();
    else if (key === "Enter" && node) {
      if (node.directory) void tree.toggle(node.path);
      else session.groups.open(node.path, { keep: true });
    } else if (key === " " && node) {
      if (node.directory) void tree.toggle(node.path);
      else session.groups.open(node.path, { quiet: true });
    } else if (key === "Delete" || (key === "Backspace" && /Mac/.test(navigator.userAgent))) {
      void deleteEntries(session, tree.chosen);
    } else if (key === "F2" && node) tree.startEdit({ kind: "rename", path: node.path });
    else if (key === "Escape" && tree.clipboard) tree.setClipboard(undefined);
    else if (key === "*") return;
    else if (key.length === 1) tree.typeAhead(key, performance.now());
    else return;
    handled();
  };

  const paste = () => {
    const { clipboard } = tree;
    if (!clipboard) return;
    void placeEntries(session, clipboard.paths, tree.target, !clipboard.cut);
    if (clipboard.cut) tree.setClipboard(undefined);
  };

  if (rows.length === 0) {
    return (
      <div
        className={cx("min-h-0 flex-1", dropOn !== undefined && "bg-selected")}
        onDragOver={(event) => onDragOver(event, undefined)}
        onDragLeave={() => setDropOn(undefined)}
        onDrop={(event) => onDrop(event, undefined)}
      >
        <EmptyState icon={<FolderOpen size={24} strokeWidth={1.5} />} title="This folder is empty">
          Create a file, drop files here, or clone a repository in the terminal.
        </EmptyState>
      </div>
    );
  }

  return (
    <ContextMenu entries={menuFor(session, paste)}>
      <div
        ref={viewport}
        role="tree"
        aria-label="Files"
        aria-multiselectable
        aria-activedescendant={focusIndex >= 0 ? `row-${focusIndex}` : undefined}
        tabIndex={0}
        data-focus-target
        className="group/tree min-h-0 flex-1 overflow-auto pb-6 focus-visible:outline-none"
        onKeyDown={onKeyDown}
        onFocus={() => {
          setTreeFocused(true);
          if (tree.focused === undefined) tree.focusEdge(false);
        }}
        onBlur={() => setTreeFocused(false)}
        onContextMenu={(event) => {
          const path = (event.target as Element).closest("[data-path]")?.getAttribute("data-path");
          if (path == null) tree.unfocus();
          else if (!tree.selected.has(path)) tree.focusOnly(path);
        }}
        onDragOver={(event) => onDragOver(event, undefined)}
        onDragLeave={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
            clearTimeout(openTimer.current);
            setDropOn(undefined);
          }
        }}
        onDrop={(event) => onDrop(event, undefined)}
      >
        <div role="presentation" className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <div
                key={row.kind === "node" ? row.node.path : `${row.kind} ${row.parent}`}
                role="presentation"
                className="absolute inset-x-0 top-0"
                style={{
                  height: ROW_HEIGHT,
                  transform: `translateY(${item.start}px)`,
                  zIndex: row.kind === "input" ? 1 : 0,
                }}
              >
                {row.kind === "input" ? (
                  <NameRow
                    depth={row.depth}
                    directory={row.directory}
                    initial=""
                    label={row.directory ? "Name of the new folder" : "Name of the new file"}
                    submit={(name) => createEntry(session, row.parent, name, row.directory)}
                    done={endEdit}
                  />
                ) : row.kind === "note" ? (
                  <p
                    className={cx(
                      "truncate pr-2 text-sm leading-[22px]",
                      row.failed ? "text-failed" : "text-faint",
                    )}
                    style={{ paddingLeft: 44 + row.depth * 12 }}
                    title={row.text}
                  >
                    {row.text}
                  </p>
                ) : edit?.kind === "rename" && edit.path === row.node.path ? (
                  <NameRow
                    depth={row.node.depth}
                    directory={row.node.directory}
                    initial={row.node.name}
                    label={`New name of ${shown(row.node.name)}`}
                    submit={(name) => renameEntry(session, row.node.path, name)}
                    done={endEdit}
                  />
                ) : (
                  <NodeRow
                    node={row.node}
                    position={item.index}
                    data-path={row.node.path}
                    expanded={tree.isExpanded(row.node.path)}
                    loading={tree.isLoading(row.node.path)}
                    focused={focused === row.node.path}
                    selected={tree.selected.has(row.node.path)}
                    treeFocused={treeFocused}
                    cut={tree.clipboard?.cut === true && tree.clipboard.paths.includes(row.node.path)}
                    dropTarget={dropOn === row.node.path}
                    change={git.decorations.of(row.node.path)}
                    onClick={(event) => {
                      const { path, directory } = row.node;
                      if (event.shiftKey) return tree.selectTo(path);
                      if (event.ctrlKey || event.metaKey) return tree.toggleSelected(path);
                      tree.focusOnly(path);
                      if (directory) void tree.toggle(path);
                      else session.groups.open(path, { quiet: true });
                    }}
                    onDoubleClick={() => {
                      if (!row.node.directory) session.groups.open(row.node.path, { keep: true });
                    }}
                    onDragStart={(event) => {
                      const { path } = row.node;
                      if (!tree.selected.has(path)) tree.focusOnly(path);
                      writeDragged(event.dataTransfer, session.workspace, tree.chosen);
                      event.dataTransfer.effectAllowed = "copyMove";
                    }}
                    onDragOver={(event) => onDragOver(event, row)}
                    onDrop={(event) => onDrop(event, row)}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
    </ContextMenu>
  );
}

function menuFor(session: ReturnType<typeof useSession>, paste: () => void): MenuEntry[] {
  const { tree } = session;
  const { chosen, target, focused } = tree;
  const node = focused === undefined ? undefined : tree.node(focused);
  const one = chosen.length === 1 ? node : undefined;
  return [
    one &&
      !one.directory && {
        label: "Open to the side",
        icon: <Columns2 size={14} />,
        onSelect: () => session.groups.open(one.path, { beside: true, keep: true }),
      },
    {
      label: "New file",
      icon: <FilePlus size={14} />,
      onSelect: () => tree.startEdit({ kind: "create", parent: target, directory: false }),
    },
    {
      label: "New folder",
      icon: <FolderPlus size={14} />,
      onSelect: () => tree.startEdit({ kind: "create", parent: target, directory: true }),
    },
    "separator",
    {
      label: "Open in terminal",
      icon: <SquareTerminal size={14} />,
      onSelect: () => void session.newTerminal({ directory: target }),
    },
    {
      label: "Find in folder",
      icon: <Search size={14} />,
      onSelect: () => {
        const folder = relativeTo(session, target);
        session.openSearch(undefined, target === tree.root ? "" : `./${folder}`);
      },
    },
    "separator",
    node && {
      label: "Cut",
      icon: <Scissors size={14} />,
      keys: "Mod+X",
      onSelect: () => tree.setClipboard({ paths: chosen, cut: true }),
    },
    node && {
      label: "Copy",
      icon: <Copy size={14} />,
      keys: "Mod+C",
      onSelect: () => tree.setClipboard({ paths: chosen, cut: false }),
    },
    {
      label: "Paste",
      icon: <Clipboard size={14} />,
      keys: "Mod+V",
      disabled: !tree.clipboard,
      onSelect: paste,
    },
    "separator",
    one && { label: "Copy path", onSelect: () => void copyText(one.path) },
    one && { label: "Copy relative path", onSelect: () => void copyText(relativeTo(session, one.path)) },
    {
      label: "Upload files…",
      icon: <Upload size={14} />,
      onSelect: () => chooseUpload(session, target),
    },
    one && {
      label: one.directory ? "Download as tar archive" : "Download",
      icon: <Download size={14} />,
      onSelect: () => void downloadEntry(session, one.path, one.directory),
    },
    "separator",
    one && {
      label: "Rename",
      icon: <Pencil size={14} />,
      keys: "F2",
      onSelect: () => tree.startEdit({ kind: "rename", path: one.path }),
    },
    node && {
      label: chosen.length > 1 ? `Delete ${chosen.length} items` : "Delete",
      icon: <Trash2 size={14} />,
      keys: "Delete",
      danger: true,
      onSelect: () => void deleteEntries(session, chosen),
    },
  ];
}

function chooseUpload(session: ReturnType<typeof useSession>, target: string): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.onchange = () =>
    void uploadFiles(
      session,
      target,
      [...(input.files ?? [])].map((file) => ({ path: file.name, file })),
    );
  input.click();
}
