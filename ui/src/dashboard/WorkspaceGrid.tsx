import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { type MenuEntry } from "@/components";
import { cx } from "@/lib/cx";
import { type Workspace, type WorkspaceId } from "@/protocol/generated";
import { allows } from "@/state/workspaces";
import { type Actions } from "./actions";
import { toRows, type Group, type Layout, type Row, type SortKey } from "./arrange";
import { type ItemProps } from "./item";
import { type Selection } from "./useSelection";
import { useWidth } from "./useWidth";
import { CARD_HEIGHT, WorkspaceCard } from "./WorkspaceCard";
import { columnsFor, gridTemplate, ROW_HEIGHT, WorkspaceRow, type Column } from "./WorkspaceRow";

const GAP = 12;
const LEAST_CARD = 296;
const TITLE_HEIGHT = 36;
const TYPE_AHEAD_MS = 800;

export interface WorkspaceGridProps {
  groups: readonly Group[];
  layout: Layout;
  sort: SortKey;
  onSort: (sort: SortKey) => void;
  selection: Selection;
  actions: Actions;
  menu: (workspace: Workspace) => MenuEntry[];
  renaming: WorkspaceId | undefined;
  onRename: (id: WorkspaceId | undefined) => void;
  onDelete: (workspaces: readonly Workspace[]) => void;
}

/** Cards or a table: draws what is in view, and is walked with the arrow keys. */
export function WorkspaceGrid(props: WorkspaceGridProps) {
  const { groups, layout, selection, actions, menu, renaming, onRename } = props;
  const viewport = useRef<HTMLDivElement>(null);
  const width = useWidth(viewport);
  const inner = width - 32;
  const perRow = layout === "cards" ? Math.max(1, Math.floor((inner + GAP) / (LEAST_CARD + GAP))) : 1;
  const rows = toRows(groups, perRow);
  const items = groups.flatMap((group) => group.workspaces);
  const columns = columnsFor(inner);

  const virtualizer = useVirtualizer({
    count: width === 0 ? 0 : rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: (index) => {
      if (rows[index]?.kind === "title") return TITLE_HEIGHT;
      return layout === "cards" ? CARD_HEIGHT + GAP : ROW_HEIGHT;
    },
    overscan: 4,
    // Room for the focus ring of the first row.
    paddingStart: layout === "cards" ? 4 : 0,
    paddingEnd: 16,
    scrollPaddingStart: layout === "table" ? 32 : 0,
  });
  // Sizes depend on what a row is, which the virtualizer does not see.
  const shape = `${layout} ${perRow} ${rows.map((row) => row.kind[0]).join("")}`;
  useEffect(() => virtualizer.measure(), [virtualizer, shape]);

  const scrollTo = useCallback(
    (index: number) => {
      const row = rows.findIndex(
        (entry) =>
          entry.kind === "items" && index >= entry.first && index < entry.first + entry.workspaces.length,
      );
      if (row >= 0) virtualizer.scrollToIndex(row);
    },
    [rows, virtualizer],
  );
  const walk = useWalk(props, items, perRow, viewport, scrollTo);

  const itemProps = (workspace: Workspace): ItemProps => ({
    workspace,
    active: workspace.id === walk.activeId,
    selected: selection.ids.has(workspace.id),
    selecting: selection.ids.size > 0,
    renaming: renaming === workspace.id,
    actions,
    menu: () => menu(workspace),
    onToggle: () => selection.toggle(workspace.id),
    onFocus: () => walk.setActiveId(workspace.id),
    onClick: (event) => {
      if (event.shiftKey) selection.extendTo(workspace.id, items);
      else if (event.ctrlKey || event.metaKey || selection.ids.size > 0) selection.toggle(workspace.id);
      else actions.open(workspace);
    },
    onRenamed: (name) => {
      onRename(undefined);
      if (name !== undefined) actions.rename(workspace, name);
      walk.focus(workspace.id);
    },
  });

  return (
    <div ref={viewport} className="min-h-0 flex-1 overflow-auto px-4">
      <div
        role="grid"
        // The items take the focus, one of them at a time.
        tabIndex={-1}
        aria-label="Workspaces"
        aria-multiselectable
        aria-rowcount={rows.length + (layout === "table" ? 1 : 0)}
        onKeyDown={walk.onKeyDown}
      >
        {layout === "table" && <TableHead columns={columns} {...props} items={items} />}
        <div role="presentation" style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
          {virtualizer.getVirtualItems().map((virtual) => {
            const row = rows[virtual.index];
            if (!row) return null;
            const style = {
              position: "absolute",
              insetInline: 0,
              top: 0,
              transform: `translateY(${virtual.start}px)`,
            } as const;
            return (
              <div key={virtual.key} role="presentation" style={style}>
                <RowView row={row} layout={layout} columns={columns} perRow={perRow} itemProps={itemProps} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function RowView({
  row,
  layout,
  columns,
  perRow,
  itemProps,
}: {
  row: Row;
  layout: Layout;
  columns: readonly Column[];
  perRow: number;
  itemProps: (workspace: Workspace) => ItemProps;
}) {
  if (row.kind === "title") {
    return (
      <div role="row" className="flex items-end gap-2 pb-1.5" style={{ height: TITLE_HEIGHT }}>
        <span role="gridcell" className="font-semibold">
          {row.title} <span className="font-normal text-faint tabular-nums">{row.count}</span>
        </span>
      </div>
    );
  }
  if (layout === "table") {
    return row.workspaces.map((workspace) => (
      <WorkspaceRow key={workspace.id} columns={columns} {...itemProps(workspace)} />
    ));
  }
  return (
    <div
      role="row"
      className="grid"
      style={{ gridTemplateColumns: `repeat(${perRow}, minmax(0, 1fr))`, gap: GAP }}
    >
      {row.workspaces.map((workspace) => (
        <WorkspaceCard key={workspace.id} {...itemProps(workspace)} />
      ))}
    </div>
  );
}

function TableHead({
  columns,
  sort,
  onSort,
  selection,
  items,
}: WorkspaceGridProps & { columns: readonly Column[]; items: readonly Workspace[] }) {
  const all = items.length > 0 && items.every((workspace) => selection.ids.has(workspace.id));
  return (
    <div
      role="row"
      style={{ gridTemplateColumns: gridTemplate(columns) }}
      className="sticky top-0 z-10 grid h-8 items-center gap-3 border-b border-line bg-canvas px-2 text-sm text-faint"
    >
      {columns.map((column) => {
        const { key, title, sort: by } = column;
        if (key === "select") {
          return (
            <div key={key} role="columnheader" className="flex">
              <input
                type="checkbox"
                className="size-4 accent-accent"
                aria-label="Select all"
                checked={all}
                onChange={() => selection.set(all ? [] : items.map((workspace) => workspace.id))}
              />
            </div>
          );
        }
        if (by === undefined) {
          return (
            <div key={key} role="columnheader" className={cx("truncate", key === "actions" && "sr-only")}>
              {title}
            </div>
          );
        }
        return (
          <div
            key={key}
            role="columnheader"
            aria-sort={sort !== by ? "none" : by === "name" ? "ascending" : "descending"}
          >
            <button
              type="button"
              onClick={() => onSort(by)}
              className={cx(
                "inline-flex items-center gap-0.5 rounded-sm hover:text-fg",
                sort === by && "font-medium text-fg",
              )}
            >
              {title}
              {sort === by && <ChevronDown size={12} aria-hidden />}
            </button>
          </div>
        );
      })}
    </div>
  );
}

/** The keyboard's way through the items: one of them is active, and the focus follows. */
function useWalk(
  { selection, actions, onRename, onDelete }: WorkspaceGridProps,
  items: readonly Workspace[],
  perRow: number,
  viewport: React.RefObject<HTMLDivElement | null>,
  scrollTo: (index: number) => void,
) {
  const [wanted, setWanted] = useState<WorkspaceId | undefined>();
  const toFocus = useRef<WorkspaceId | undefined>(undefined);
  const typed = useRef({ text: "", at: 0 });
  const activeIndex = Math.max(
    0,
    items.findIndex((workspace) => workspace.id === wanted),
  );
  const activeId = items[activeIndex]?.id;

  // The item may be drawn only after the list has scrolled, so the focus is tried after every render.
  useEffect(() => {
    const id = toFocus.current;
    if (id === undefined) return;
    const element = viewport.current?.querySelector<HTMLElement>(`[data-workspace="${id}"]`);
    if (!element) return;
    toFocus.current = undefined;
    element.focus({ preventScroll: true });
  });

  const focus = (id: WorkspaceId) => {
    toFocus.current = id;
    setWanted(id);
  };
  const moveTo = (index: number, extend: boolean) => {
    const next = items[Math.max(0, Math.min(items.length - 1, index))];
    if (!next) return;
    if (extend) selection.set([...selection.ids, ...(activeId === undefined ? [] : [activeId]), next.id]);
    scrollTo(items.indexOf(next));
    focus(next.id);
  };
  const typeAhead = (key: string, now: number) => {
    const text = now - typed.current.at < TYPE_AHEAD_MS ? typed.current.text + key : key;
    typed.current = { text, at: now };
    // One letter goes on to the next match; more letters refine the present one.
    const start = text.length === 1 ? activeIndex + 1 : activeIndex;
    const order = [...items.slice(start), ...items.slice(0, start)];
    const found = order.find((workspace) => workspace.name.toLowerCase().startsWith(text.toLowerCase()));
    if (found) moveTo(items.indexOf(found), false);
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    // Keys inside an item (its buttons, its name being changed) are theirs.
    if (!(event.target instanceof HTMLElement) || event.target.dataset.workspace === undefined) return;
    const current = items[activeIndex];
    if (!current) return;
    const page = Math.max(
      1,
      Math.floor((viewport.current?.clientHeight ?? 0) / (perRow > 1 ? CARD_HEIGHT : ROW_HEIGHT) - 1),
    );
    const steps: Record<string, number> = {
      ArrowRight: activeIndex + 1,
      ArrowLeft: activeIndex - 1,
      ArrowDown: activeIndex + perRow,
      ArrowUp: activeIndex - perRow,
      PageDown: activeIndex + perRow * page,
      PageUp: activeIndex - perRow * page,
      Home: 0,
      End: items.length - 1,
    };
    const step = steps[event.key];
    if (step !== undefined && !event.altKey) moveTo(step, event.shiftKey);
    else if (event.key === "Enter") actions.open(current);
    else if (event.key === " ") selection.toggle(current.id);
    else if (event.key === "F2") onRename(current.id);
    else if (event.key === "Escape") selection.clear();
    else if (event.key === "Delete") {
      const chosen =
        selection.ids.size > 0 ? items.filter((workspace) => selection.ids.has(workspace.id)) : [current];
      const deletable = chosen.filter((workspace) => allows(workspace.state, "delete"));
      if (deletable.length > 0) onDelete(deletable);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      selection.set(items.map((workspace) => workspace.id));
    } else if (
      event.key.length === 1 &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.altKey &&
      event.key !== "/"
    ) {
      typeAhead(event.key, event.timeStamp);
    } else return;
    event.preventDefault();
  };

  return { activeId, setActiveId: setWanted, focus, onKeyDown };
}
