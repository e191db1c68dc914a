import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState, type MouseEvent } from "react";
import { ContextMenu } from "@/components";
import { cx } from "@/lib/cx";
import { shown } from "../model/path";
import { type TreeNode, type TreeRow } from "../model/tree";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import { writeDragged } from "./drag";
import { createEntry, renameEntry } from "./entries";
import { onTreeKey } from "./keys";
import { menuFor } from "./menu";
import { NameRow, NodeRow, ROW_HEIGHT } from "./TreeRow";
import { useDropTarget, type DropTarget } from "./useDropTarget";

/** The rows of the tree that are in view. */
export function Tree() {
  const session = useSession();
  const tree = useModel(session.tree);
  useModel(session.fileUndo);
  const { rows, focused, edit } = tree;
  const viewport = useRef<HTMLDivElement>(null);
  const [treeFocused, setTreeFocused] = useState(false);
  const drop = useDropTarget();
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 16,
  });
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

  return (
    <ContextMenu entries={menuFor(session)}>
      <div
        ref={viewport}
        role="tree"
        aria-label="Files"
        aria-multiselectable
        aria-activedescendant={focusIndex >= 0 ? `row-${focusIndex}` : undefined}
        tabIndex={0}
        data-focus-target
        className={cx(
          "group/tree min-h-0 flex-1 overflow-auto pb-6 focus-visible:outline-none",
          drop.on === tree.root && "bg-selected",
        )}
        onKeyDown={(event) => onTreeKey(session, event)}
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
        {...drop.handlers(undefined)}
        onDragLeave={drop.leave}
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
                <Row
                  row={row}
                  position={item.index}
                  treeFocused={treeFocused}
                  drop={drop}
                  endEdit={endEdit}
                />
              </div>
            );
          })}
        </div>
      </div>
    </ContextMenu>
  );
}

interface RowProps {
  row: TreeRow;
  position: number;
  treeFocused: boolean;
  drop: DropTarget;
  endEdit: () => void;
}

function Row({ row, endEdit, ...rest }: RowProps) {
  const session = useSession();
  const { edit } = session.tree;
  if (row.kind === "input") {
    return (
      <NameRow
        position={rest.position}
        depth={row.depth}
        directory={row.directory}
        initial=""
        label={row.directory ? "Name of the new folder" : "Name of the new file"}
        submit={(name) => createEntry(session, row.parent, name, row.directory)}
        done={endEdit}
      />
    );
  }
  if (row.kind === "note") {
    return (
      <p
        className={cx("truncate pr-2 text-sm leading-[22px]", row.failed ? "text-failed" : "text-faint")}
        style={{ paddingLeft: 44 + row.depth * 12 }}
        title={row.text}
      >
        {row.text}
      </p>
    );
  }
  if (edit?.kind === "rename" && edit.path === row.node.path) {
    return (
      <NameRow
        position={rest.position}
        depth={row.node.depth}
        directory={row.node.directory}
        initial={row.node.name}
        label={`New name of ${shown(row.node.name)}`}
        submit={(name) => renameEntry(session, row.node.path, name)}
        done={endEdit}
      />
    );
  }
  return <Entry node={row.node} row={row} {...rest} />;
}

function Entry({ node, row, position, treeFocused, drop }: Omit<RowProps, "endEdit"> & { node: TreeNode }) {
  const session = useSession();
  const { tree, groups } = session;
  const git = useModel(session.git);
  const { path, directory } = node;
  const choose = (event: MouseEvent) => {
    if (event.shiftKey) return tree.selectTo(path);
    if (event.ctrlKey || event.metaKey) return tree.toggleSelected(path);
    tree.focusOnly(path);
    if (directory) void tree.toggle(path);
    else groups.open(path, { quiet: true });
  };
  return (
    <NodeRow
      node={node}
      position={position}
      data-path={path}
      expanded={tree.isExpanded(path)}
      loading={tree.isLoading(path)}
      focused={tree.focused === path}
      selected={tree.selected.has(path)}
      treeFocused={treeFocused}
      cut={tree.clipboard?.cut === true && tree.clipboard.paths.includes(path)}
      dropTarget={drop.on === path}
      change={git.decorations.of(path)}
      onClick={choose}
      onDoubleClick={() => {
        if (!directory) groups.open(path, { keep: true });
      }}
      onDragStart={(event) => {
        if (!tree.selected.has(path)) tree.focusOnly(path);
        writeDragged(event.dataTransfer, session.workspace, tree.chosen);
        event.dataTransfer.effectAllowed = "copyMove";
      }}
      {...drop.handlers(row)}
    />
  );
}
