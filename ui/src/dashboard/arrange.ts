import { type EngineId, type EngineInfo, type Workspace, type WorkspaceState } from "@/protocol/generated";
import { fuzzyMatch } from "@/lib/fuzzy";
import { newestSample } from "@/state/samples";
import { lastUsed, sourceText, STATE_WORDS } from "@/state/workspaces";

export type SortKey = "used" | "name" | "state" | "cpu" | "memory" | "created";
export type GroupKey = "none" | "engine" | "state";
export type Layout = "cards" | "table";

/** How the dashboard is arranged; kept by the host. */
export interface Arrangement {
  layout: Layout;
  sort: SortKey;
  group: GroupKey;
  states: WorkspaceState[];
  engines: EngineId[];
}

export const DEFAULT_ARRANGEMENT: Arrangement = {
  layout: "cards",
  sort: "used",
  group: "none",
  states: [],
  engines: [],
};

export const SORT_WORDS: Record<SortKey, string> = {
  used: "Last used",
  name: "Name",
  state: "State",
  cpu: "CPU",
  memory: "Memory",
  created: "Created",
};

export const GROUP_WORDS: Record<GroupKey, string> = { none: "No groups", engine: "Engine", state: "State" };

// What needs attention first, then what runs.
const STATE_ORDER: readonly WorkspaceState[] = [
  "failed",
  "creating",
  "starting",
  "running",
  "paused",
  "stopping",
  "stopped",
  "stranded",
  "unreachable",
  "lost",
  "deleting",
];

const byName = (a: Workspace, b: Workspace) => a.name.localeCompare(b.name, undefined, { numeric: true });
const cpu = (workspace: Workspace) => (newestSample(workspace.id) ?? workspace.sample)?.cpu_percent ?? -1;
const memory = (workspace: Workspace) => (newestSample(workspace.id) ?? workspace.sample)?.memory_bytes ?? -1;

const ORDERS: Record<SortKey, (a: Workspace, b: Workspace) => number> = {
  used: (a, b) => lastUsed(b) - lastUsed(a),
  name: byName,
  state: (a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state),
  cpu: (a, b) => cpu(b) - cpu(a),
  memory: (a, b) => memory(b) - memory(a),
  created: (a, b) => b.created_ms - a.created_ms,
};

export interface Group {
  title: string | undefined;
  workspaces: Workspace[];
}

/** The workspaces to show, filtered, sorted and grouped. */
export function arrange(
  workspaces: readonly Workspace[],
  engines: readonly EngineInfo[],
  arrangement: Arrangement,
  query: string,
): Group[] {
  const { states, sort, group } = arrangement;
  const wanted = query.trim();
  const shown = workspaces.filter(
    (workspace) =>
      (states.length === 0 || states.includes(workspace.state)) &&
      (arrangement.engines.length === 0 || arrangement.engines.includes(workspace.engine)) &&
      (wanted === "" ||
        fuzzyMatch(wanted, workspace.name) !== undefined ||
        sourceText(workspace).toLowerCase().includes(wanted.toLowerCase()) ||
        workspace.branch?.toLowerCase().includes(wanted.toLowerCase()) === true),
  );
  const sorted = shown.toSorted((a, b) => ORDERS[sort](a, b) || byName(a, b));
  if (group === "none") return [{ title: undefined, workspaces: sorted }];
  const titleOf = (workspace: Workspace) =>
    group === "state"
      ? STATE_WORDS[workspace.state]
      : (engines.find((engine) => engine.id === workspace.engine)?.name ?? workspace.engine);
  const groups = new Map<string, Workspace[]>();
  const order = group === "state" ? sorted.toSorted(ORDERS.state) : sorted;
  for (const workspace of order) {
    const title = titleOf(workspace);
    const known = groups.get(title);
    if (known) known.push(workspace);
    else groups.set(title, [workspace]);
  }
  const entries = [...groups].map(([title, members]) => ({ title, workspaces: members }));
  return group === "engine" ? entries.toSorted((a, b) => a.title.localeCompare(b.title)) : entries;
}

/** One row of the scrolling list. */
export type Row =
  { kind: "title"; title: string; count: number } | { kind: "items"; workspaces: Workspace[]; first: number };

/** Cuts groups into rows of `columns` items; `first` counts items in reading order. */
export function toRows(groups: readonly Group[], columns: number): Row[] {
  const rows: Row[] = [];
  let first = 0;
  for (const { title, workspaces } of groups) {
    if (title !== undefined) rows.push({ kind: "title", title, count: workspaces.length });
    for (let i = 0; i < workspaces.length; i += columns) {
      const part = workspaces.slice(i, i + columns);
      rows.push({ kind: "items", workspaces: part, first });
      first += part.length;
    }
  }
  return rows;
}
