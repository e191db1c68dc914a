import {
  ArrowUpDown,
  Container,
  Ellipsis,
  LayoutGrid,
  ListFilter,
  Plus,
  Search,
  TableProperties,
  X,
} from "lucide-react";
import { type Ref } from "react";
import { useCommandKeys } from "@/commands";
import { Button, IconButton, Input, Menu, Tooltip } from "@/components";
import { cx } from "@/lib/cx";
import { type EngineInfo, type Workspace, type WorkspaceState } from "@/protocol/generated";
import { showOverlay, startCreate } from "@/state/navigation";
import { STATE_WORDS } from "@/state/workspaces";
import { GROUP_WORDS, SORT_WORDS, type Arrangement, type GroupKey, type SortKey } from "./arrange";

export interface ToolbarProps {
  ref: Ref<HTMLInputElement>;
  arrangement: Arrangement;
  onArrange: (arrangement: Arrangement) => void;
  query: string;
  onQuery: (query: string) => void;
  workspaces: readonly Workspace[];
  engines: readonly EngineInfo[];
  shownCount: number;
}

const SORTS = Object.keys(SORT_WORDS) as SortKey[];
const GROUPS = Object.keys(GROUP_WORDS) as GroupKey[];
const STATES = Object.keys(STATE_WORDS) as WorkspaceState[];

export function Toolbar({
  ref,
  arrangement,
  onArrange,
  query,
  onQuery,
  workspaces,
  engines,
  shownCount,
}: ToolbarProps) {
  const createKeys = useCommandKeys("workspace.new");
  const toggle = <T,>(list: readonly T[], value: T) =>
    list.includes(value) ? list.filter((entry) => entry !== value) : [...list, value];
  const filters = arrangement.states.length + arrangement.engines.length;
  const presentStates = STATES.filter(
    (state) =>
      arrangement.states.includes(state) || workspaces.some((workspace) => workspace.state === state),
  );
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-2 px-4 py-3">
      <h1 className="mr-1 text-lg font-semibold">Workspaces</h1>
      <span className="mr-auto text-muted tabular-nums">
        {shownCount === workspaces.length ? workspaces.length : `${shownCount} of ${workspaces.length}`}
      </span>
      <Input
        ref={ref}
        type="text"
        role="searchbox"
        aria-label="Filter workspaces"
        placeholder="Search"
        icon={<Search size={14} aria-hidden />}
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onQuery("");
        }}
        trailing={
          query !== "" && (
            <button
              type="button"
              aria-label="Clear filter"
              onClick={() => onQuery("")}
              className="rounded-sm text-faint hover:text-fg"
            >
              <X size={14} aria-hidden />
            </button>
          )
        }
        className="order-last w-full sm:order-none sm:w-44 lg:w-52"
      />
      <Menu
        align="end"
        entries={[
          ...presentStates.map((state) => ({
            label: STATE_WORDS[state],
            checked: arrangement.states.includes(state),
            keepOpen: true,
            onSelect: () => onArrange({ ...arrangement, states: toggle(arrangement.states, state) }),
          })),
          engines.length > 1 && ("separator" as const),
          ...(engines.length > 1
            ? engines.map((engine) => ({
                label: engine.name,
                checked: arrangement.engines.includes(engine.id),
                keepOpen: true,
                onSelect: () =>
                  onArrange({ ...arrangement, engines: toggle(arrangement.engines, engine.id) }),
              }))
            : []),
          filters > 0 && ("separator" as const),
          filters > 0 && {
            label: "Clear filters",
            onSelect: () => onArrange({ ...arrangement, states: [], engines: [] }),
          },
        ]}
      >
        <Button
          icon={<ListFilter size={14} aria-hidden />}
          aria-label={
            filters > 0 ? `Filter by state or engine, ${filters} chosen` : "Filter by state or engine"
          }
          className={cx(filters > 0 && "border-accent text-accent-text")}
        >
          <span className="hidden md:inline">Filter</span>
          {filters > 0 && <span className="tabular-nums">{filters}</span>}
        </Button>
      </Menu>
      <Menu
        align="end"
        entries={[
          ...SORTS.map((sort) => ({
            label: SORT_WORDS[sort],
            checked: arrangement.sort === sort,
            onSelect: () => onArrange({ ...arrangement, sort }),
          })),
          "separator",
          ...GROUPS.map((group) => ({
            label: group === "none" ? GROUP_WORDS.none : `Group by ${GROUP_WORDS[group].toLowerCase()}`,
            checked: arrangement.group === group,
            onSelect: () => onArrange({ ...arrangement, group }),
          })),
        ]}
      >
        <Button
          icon={<ArrowUpDown size={14} aria-hidden />}
          aria-label={`Sort by ${SORT_WORDS[arrangement.sort].toLowerCase()}`}
        >
          <span className="hidden md:inline">{SORT_WORDS[arrangement.sort]}</span>
        </Button>
      </Menu>
      <div role="group" aria-label="Layout" className="hidden rounded-md border border-line-strong sm:flex">
        <IconButton
          label="Cards"
          icon={<LayoutGrid size={14} />}
          pressed={arrangement.layout === "cards"}
          onClick={() => onArrange({ ...arrangement, layout: "cards" })}
          className="h-6.5 rounded-r-none"
        />
        <IconButton
          label="Table"
          icon={<TableProperties size={14} />}
          pressed={arrangement.layout === "table"}
          onClick={() => onArrange({ ...arrangement, layout: "table" })}
          className="h-6.5 rounded-l-none"
        />
      </div>
      <Tooltip content="Create workspace" keys={createKeys}>
        <Button
          kind="primary"
          icon={<Plus size={14} aria-hidden />}
          onClick={() => startCreate()}
          aria-label="Create workspace"
        >
          <span className="hidden sm:inline">Create</span>
        </Button>
      </Tooltip>
      <Menu
        align="end"
        entries={[
          {
            label: "Import a container",
            icon: <Container size={14} />,
            onSelect: () => showOverlay("import"),
          },
        ]}
      >
        <IconButton label="More" icon={<Ellipsis size={16} />} />
      </Menu>
    </div>
  );
}
