import { SearchX } from "lucide-react";
import { useRef, useState } from "react";
import { useCommands } from "@/commands";
import { Button, EmptyState } from "@/components";
import { useNow } from "@/lib/time";
import { type Workspace } from "@/protocol/generated";
import { usePersisted } from "@/state/persisted";
import { useEngines } from "@/state/workspaces";
import { useWorkspaceActions, useWorkspaceMenu } from "./actions";
import { arrange, DEFAULT_ARRANGEMENT, type Arrangement } from "./arrange";
import { ClusterOffer } from "./ClusterOffer";
import { DeleteDialog } from "./DeleteDialog";
import { EngineProblem } from "./EngineProblem";
import { isTrouble } from "./health";
import { InspectDialog, type Inspected } from "./InspectDialog";
import { SelectionBar } from "./SelectionBar";
import { LetGoDialog } from "./LetGoDialog";
import { StopDialog, useStopQuestion } from "./StopDialog";
import { Toolbar } from "./Toolbar";
import { useSelection } from "./useSelection";
import { WorkspaceGrid } from "./WorkspaceGrid";

/** All workspaces: found, sorted, chosen and acted upon. */
export function WorkspaceBrowser({ workspaces }: { workspaces: readonly Workspace[] }) {
  const [arrangement, setArrangement] = usePersisted<Arrangement>("dashboard", DEFAULT_ARRANGEMENT);
  const [query, setQuery] = useState("");
  const [renaming, setRenaming] = useState<string | undefined>();
  const [deleting, setDeleting] = useState<readonly Workspace[]>([]);
  const [lettingGo, setLettingGo] = useState<Workspace | undefined>();
  const [inspected, setInspected] = useState<Inspected | undefined>();
  const search = useRef<HTMLInputElement>(null);
  const engines = useEngines().data ?? [];
  const selection = useSelection();
  const { actions, asked, answer } = useStopQuestion(useWorkspaceActions());
  const menu = useWorkspaceMenu({
    actions,
    onRename: (workspace) => setRenaming(workspace.id),
    onDelete: setDeleting,
    onLetGo: setLettingGo,
    onInspect: (workspace, tab) => setInspected({ workspace, tab }),
  });
  // Order by what moves (CPU, memory) is renewed now and then, not under the pointer at every sample.
  useNow(10_000);
  const full = { ...DEFAULT_ARRANGEMENT, ...arrangement };
  const groups = arrange(workspaces, engines, full, query);
  const shown = groups.flatMap((group) => group.workspaces);
  const selected = workspaces.filter((workspace) => selection.ids.has(workspace.id));
  const filtered = query !== "" || full.states.length > 0 || full.engines.length > 0;
  const anyReady = engines.some((engine) => engine.health === "ready" || engine.health === "checking");

  useCommands([
    {
      id: "dashboard.search",
      group: "Workspaces",
      title: "Filter workspaces",
      keys: ["Mod+F", "/"],
      run: () => search.current?.focus(),
    },
    {
      id: "dashboard.cards",
      group: "Workspaces",
      title: "Show as cards",
      when: () => full.layout !== "cards",
      run: () => setArrangement({ ...full, layout: "cards" }),
    },
    {
      id: "dashboard.table",
      group: "Workspaces",
      title: "Show as table",
      when: () => full.layout !== "table",
      run: () => setArrangement({ ...full, layout: "table" }),
    },
    {
      id: "dashboard.selectAll",
      group: "Workspaces",
      title: "Select all workspaces",
      run: () => selection.set(shown.map((workspace) => workspace.id)),
    },
  ]);

  return (
    <div className="flex h-full flex-col">
      {selected.length > 0 ? (
        <SelectionBar
          selected={selected}
          actions={actions}
          onDelete={setDeleting}
          onClear={() => selection.clear()}
        />
      ) : (
        <Toolbar
          ref={search}
          arrangement={full}
          onArrange={setArrangement}
          query={query}
          onQuery={setQuery}
          workspaces={workspaces}
          engines={engines.filter(
            (engine) => engine.health !== "off" || workspaces.some((each) => each.engine === engine.id),
          )}
          shownCount={shown.length}
        />
      )}
      {!anyReady && engines.length > 0 && (
        <div className="grid shrink-0 gap-2 px-4 pb-3 md:grid-cols-2">
          {engines.filter(isTrouble).map((engine) => (
            <EngineProblem key={engine.id} engine={engine} />
          ))}
          <ClusterOffer engines={engines} />
        </div>
      )}
      {shown.length === 0 && filtered ? (
        <EmptyState
          icon={<SearchX size={24} />}
          title="No workspace matches"
          action={
            <Button
              onClick={() => {
                setQuery("");
                setArrangement({ ...full, states: [], engines: [] });
              }}
            >
              Show all {workspaces.length}
            </Button>
          }
        />
      ) : (
        <WorkspaceGrid
          groups={groups}
          layout={full.layout}
          sort={full.sort}
          onSort={(sort) => setArrangement({ ...full, sort })}
          selection={selection}
          actions={actions}
          menu={menu}
          renaming={renaming}
          onRename={setRenaming}
          onDelete={setDeleting}
        />
      )}
      <DeleteDialog
        workspaces={deleting}
        onClose={() => {
          setDeleting([]);
          selection.clear();
        }}
      />
      <LetGoDialog workspace={lettingGo} onClose={() => setLettingGo(undefined)} />
      <StopDialog asked={asked} answer={answer} />
      <InspectDialog inspected={inspected} onChange={setInspected} />
    </div>
  );
}
