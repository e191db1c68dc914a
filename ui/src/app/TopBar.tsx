import { House, Plus, Search, Settings, X } from "lucide-react";
import { useCommandKeys } from "@/commands";
import { ContextMenu, IconButton, Kbd, StateDot, Tooltip } from "@/components";
import { cx } from "@/lib/cx";
import { type WorkspaceId } from "@/protocol/generated";
import {
  closeTab,
  goHome,
  openSettings,
  showOverlay,
  showWorkspace,
  startCreate,
  useNavigation,
} from "@/state/navigation";
import { isTransient, stateShown, useEngine, useWorkspace } from "@/state/workspaces";
import { HostHealth } from "./HostHealth";

export function TopBar() {
  const { view, tabs } = useNavigation();
  const paletteKeys = useCommandKeys("app.palette");
  const settingsKeys = useCommandKeys("app.settings");
  const createKeys = useCommandKeys("workspace.new");
  return (
    <header className="flex h-10 shrink-0 items-center gap-1 border-b border-line bg-frame px-2">
      <nav aria-label="Open workspaces" className="flex min-w-0 flex-1 items-center gap-0.5">
        <TabButton shown={view.kind === "home"} onClick={goHome} label="Workspaces">
          <House size={16} aria-hidden />
          <span className="hidden sm:inline">Workspaces</span>
        </TabButton>
        {tabs.length > 0 && <span className="mx-1 h-4 w-px shrink-0 bg-line" aria-hidden />}
        <div className="flex min-w-0 items-center gap-0.5 overflow-x-auto [scrollbar-width:none]">
          {tabs.map((id) => (
            <WorkspaceTab key={id} id={id} shown={view.kind === "workspace" && view.id === id} />
          ))}
        </div>
        <IconButton
          label="Create workspace"
          keys={createKeys}
          icon={<Plus size={16} />}
          onClick={() => startCreate()}
        />
      </nav>
      <button
        type="button"
        onClick={() => showOverlay("palette")}
        aria-label="Search commands"
        className="hidden h-7 w-64 shrink items-center gap-2 rounded-md border border-line bg-canvas px-2 text-faint hover:border-line-strong hover:text-muted md:flex"
      >
        <Search size={14} aria-hidden />
        <span className="flex-1 truncate text-left">Search or run</span>
        {paletteKeys !== undefined && <Kbd keys={paletteKeys} />}
      </button>
      <IconButton
        label="Search or run"
        keys={paletteKeys}
        icon={<Search size={16} />}
        className="md:hidden"
        onClick={() => showOverlay("palette")}
      />
      <div className="flex shrink-0 items-center justify-end gap-1 lg:flex-1">
        <HostHealth />
        <IconButton
          label="Settings"
          keys={settingsKeys}
          icon={<Settings size={16} />}
          pressed={view.kind === "settings"}
          onClick={() => openSettings()}
        />
      </div>
    </header>
  );
}

function TabButton({
  shown,
  onClick,
  label,
  children,
}: {
  shown: boolean;
  onClick: () => void;
  label: string;
  children: React.ReactNode;
}) {
  return (
    <button
      type="button"
      aria-current={shown ? "page" : undefined}
      aria-label={label}
      onClick={onClick}
      className={cx(
        "flex h-7 shrink-0 items-center gap-1.5 rounded-md px-2 font-medium",
        shown ? "bg-active text-fg" : "text-muted hover:bg-hover hover:text-fg",
      )}
    >
      {children}
    </button>
  );
}

function WorkspaceTab({ id, shown }: { id: WorkspaceId; shown: boolean }) {
  const workspace = useWorkspace(id);
  const tabs = useNavigation((state) => state.tabs);
  const engine = useEngine(workspace?.engine);
  const state = workspace && stateShown(workspace, engine);
  const name = workspace?.name ?? "…";
  return (
    <ContextMenu
      entries={[
        { label: "Close tab", onSelect: () => closeTab(id) },
        {
          label: "Close other tabs",
          disabled: tabs.length < 2,
          onSelect: () => tabs.filter((tab) => tab !== id).forEach(closeTab),
        },
      ]}
    >
      <div
        className={cx(
          "group flex h-7 max-w-48 min-w-20 items-center rounded-md",
          shown ? "bg-active text-fg" : "text-muted hover:bg-hover hover:text-fg",
        )}
      >
        <Tooltip content={state ? `${name} – ${state.word}` : name}>
          <button
            type="button"
            aria-current={shown ? "page" : undefined}
            onClick={() => showWorkspace(id)}
            onAuxClick={(event) => event.button === 1 && closeTab(id)}
            className="flex h-full min-w-0 flex-1 items-center gap-1.5 rounded-md pl-2 font-medium"
          >
            {workspace && state && (
              <StateDot tone={state.tone} moving={isTransient(workspace.state)} size={8} />
            )}
            <span className="truncate">{name}</span>
          </button>
        </Tooltip>
        <button
          type="button"
          aria-label={`Close ${name}`}
          onClick={() => closeTab(id)}
          className={cx(
            "mx-1 flex size-5 shrink-0 items-center justify-center rounded-sm text-muted hover:bg-line-strong hover:text-fg focus-visible:opacity-100",
            shown ? "opacity-100" : "opacity-0 group-hover:opacity-100",
          )}
        >
          <X size={12} aria-hidden />
        </button>
      </div>
    </ContextMenu>
  );
}
