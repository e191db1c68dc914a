import { type ReactNode } from "react";
import { Checkbox, ContextMenu } from "@/components";
import { cx } from "@/lib/cx";
import { stateShown, useEngine } from "@/state/workspaces";
import { type SortKey } from "./arrange";
import { EngineBadge } from "./EngineBadge";
import { type ItemProps } from "./item";
import { CpuLine, MemoryLine, useUse } from "./Metrics";
import { LastUsed, Ports, QuickActions, SourceLine } from "./parts";
import { RenameField } from "./RenameField";
import { WorkspaceStateLabel } from "./WorkspaceStateLabel";

export const ROW_HEIGHT = 36;

export interface Column {
  key: string;
  title: string;
  width: string;
  /** Shown from this width of the list, pixels. */
  from: number;
  sort?: SortKey;
}

const COLUMNS: readonly Column[] = [
  { key: "select", title: "Select", width: "20px", from: 0 },
  { key: "name", title: "Name", width: "minmax(120px, 1.4fr)", from: 0, sort: "name" },
  { key: "state", title: "State", width: "132px", from: 0, sort: "state" },
  { key: "source", title: "Source", width: "minmax(140px, 1.2fr)", from: 760 },
  { key: "engine", title: "Engine", width: "144px", from: 1000 },
  { key: "cpu", title: "CPU", width: "136px", from: 640, sort: "cpu" },
  { key: "memory", title: "Memory", width: "148px", from: 1160, sort: "memory" },
  { key: "ports", title: "Ports", width: "112px", from: 1300 },
  { key: "used", title: "Last used", width: "96px", from: 520, sort: "used" },
  { key: "actions", title: "Actions", width: "64px", from: 0 },
];

/** Empty while a workspace does not run: what it waits for, or what went wrong, stands there instead. */
const ONLY_RUNNING = new Set(["cpu", "memory", "ports"]);

export function columnsFor(width: number): Column[] {
  return COLUMNS.filter((column) => width >= column.from);
}

export function gridTemplate(columns: readonly Column[]): string {
  return columns.map((column) => column.width).join(" ");
}

export function WorkspaceRow({ columns, ...props }: ItemProps & { columns: readonly Column[] }) {
  const { workspace, active, selected, onClick, onFocus, menu } = props;
  const { word } = stateShown(workspace, useEngine(workspace.engine));
  const why =
    workspace.state === "running" ? undefined : (workspace.plan?.error?.message ?? workspace.message);
  const spare = why === undefined ? [] : columns.filter(({ key }) => ONLY_RUNNING.has(key));
  return (
    <ContextMenu entries={menu()}>
      <div
        role="row"
        tabIndex={active ? 0 : -1}
        data-workspace={workspace.id}
        aria-selected={selected}
        aria-label={`${workspace.name}, ${word}${why === undefined ? "" : `: ${why}`}`}
        title={why}
        onClick={onClick}
        onFocus={onFocus}
        onKeyDown={undefined}
        style={{ height: ROW_HEIGHT, gridTemplateColumns: gridTemplate(columns) }}
        className={cx(
          "group grid items-center gap-3 border-b border-line px-2 -outline-offset-2",
          selected ? "bg-selected" : "hover:bg-hover",
        )}
      >
        {columns.map((column) => {
          const place = spare.indexOf(column);
          if (place > 0) return null;
          const span = place === 0 ? spare.length : 1;
          return (
            <div
              key={column.key}
              role="gridcell"
              aria-colspan={span}
              style={{ gridColumn: `span ${span}` }}
              className="flex min-w-0 items-center gap-2"
            >
              {place === 0 ? (
                <span className="truncate text-sm text-muted">{why}</span>
              ) : (
                <Cell column={column.key} {...props} />
              )}
            </div>
          );
        })}
      </div>
    </ContextMenu>
  );
}

function Cell({ column, ...props }: ItemProps & { column: string }): ReactNode {
  const { workspace, selected, renaming, onToggle, onRenamed } = props;
  switch (column) {
    case "select":
      return (
        <span className="flex" onClick={(event) => event.stopPropagation()} role="presentation">
          <Checkbox checked={selected} onChange={onToggle} label={`Select ${workspace.name}`} tabIndex={-1} />
        </span>
      );
    case "name":
      return renaming ? (
        <RenameField name={workspace.name} onDone={onRenamed} />
      ) : (
        <span className="truncate font-medium" title={workspace.name}>
          {workspace.name}
        </span>
      );
    case "state":
      return <WorkspaceStateLabel workspace={workspace} />;
    case "source":
      return <SourceLine workspace={workspace} />;
    case "engine":
      return <EngineBadge id={workspace.engine} />;
    case "cpu":
    case "memory":
      return workspace.state === "running" ? <UseCell column={column} {...props} /> : null;
    case "ports":
      return <Ports workspace={workspace} max={2} />;
    case "used":
      return <LastUsed workspace={workspace} />;
    case "actions":
      return (
        <span className="ml-auto flex opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 has-data-[state=open]:opacity-100 [@media(hover:none)]:opacity-100">
          <QuickActions {...props} />
        </span>
      );
  }
  return null;
}

function UseCell({ workspace, column }: ItemProps & { column: "cpu" | "memory" }) {
  const use = useUse(workspace);
  const Line = column === "cpu" ? CpuLine : MemoryLine;
  return (
    <div className="w-full">
      <Line use={use} width={64} bare />
    </div>
  );
}
