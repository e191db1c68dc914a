import {
  DockviewReact,
  type DockviewReadyEvent,
  type IDockviewHeaderActionsProps,
  type IDockviewPanelHeaderProps,
  type IDockviewPanelProps,
} from "dockview-react";
import {
  ChevronDown,
  ChevronsDown,
  ChevronsUp,
  Plus,
  ScrollText,
  SquareSplitHorizontal,
  SquareTerminal,
  Radio,
  X,
} from "lucide-react";
import { useEffect, type FunctionComponent } from "react";
import { useCommandKeys } from "@/commands";
import { Button, ContextMenu, EmptyState, IconButton, Menu, toastError } from "@/components";
import { cx } from "@/lib/cx";
import { basename, shown } from "../model/path";
import { useSession } from "../session/context";
import { useNoRoot } from "../useNoRoot";
import { guarded } from "../Boundary";
import { DOCK_THEME } from "../dock";
import { TerminalPane } from "../terminal/TerminalPane";
import { useModel } from "../useModel";
import { terminalOf, type TerminalParams } from "./bottom";
import { LogsPane } from "./Logs";
import { PortsPane } from "./Ports";

const PANES: Record<string, FunctionComponent<IDockviewPanelProps>> = {
  terminal: guarded("This terminal", TerminalPane as FunctionComponent<IDockviewPanelProps>),
  ports: guarded("The list of ports", PortsPane),
  logs: guarded("The log", LogsPane),
};

const TABS: Record<string, FunctionComponent<IDockviewPanelHeaderProps>> = {
  terminal: TerminalTab as FunctionComponent<IDockviewPanelHeaderProps>,
  fixed: FixedTab,
};

/** Terminals, ports and logs, in tabs and splits. */
export function BottomDock() {
  const session = useSession();
  return (
    <DockviewReact
      className="bottom-dock h-full"
      theme={DOCK_THEME}
      components={PANES}
      tabComponents={TABS}
      rightHeaderActionsComponent={Actions}
      watermarkComponent={NoTerminals}
      disableFloatingGroups
      scrollbars="native"
      onReady={({ api }: DockviewReadyEvent) => session.bottom.attach(api)}
    />
  );
}

/** The part of a title that tells terminals apart: the folder, or the program. */
function shortTitle(title: string): string {
  // Shells put `user@host: ~/folder` there.
  const folder = /^[^\s@]+@[^\s:]+:\s*(.+)$/.exec(title)?.[1];
  if (folder !== undefined) return basename(folder.replace(/\/+$/, "")) || folder;
  return title.includes("/") && !title.includes(" ") ? basename(title) || title : title;
}

function TerminalTab({ api, params }: IDockviewPanelHeaderProps<TerminalParams>) {
  const session = useSession();
  const terminals = useModel(session.terminals);
  const terminal = terminals.get(params.terminal);
  const title = terminal ? (terminal.info.name ?? shortTitle(terminal.title)) : "";
  useEffect(() => {
    // What screen readers call the tab.
    if (title !== "") api.setTitle(`Terminal ${title}`);
  }, [api, title]);
  if (!terminal) return null;
  const { info } = terminal;
  const failed = info.exit !== undefined && info.exit.status !== 0;
  return (
    <ContextMenu
      entries={[
        { label: "Rename…", onSelect: () => void session.renameTerminal(terminal) },
        { label: "Split", onSelect: () => void session.newTerminal({ beside: api.id }).catch(toastError) },
        "separator",
        { label: "Close terminal", danger: true, onSelect: () => void session.closeTerminal(terminal) },
      ]}
    >
      <div
        className="group/tab flex h-full items-center gap-1.5 pr-1 pl-2.5"
        title={`${shown(terminal.title)}${info.directory === undefined ? "" : `\n${shown(info.directory)}`}`}
        onAuxClick={(event) => event.button === 1 && void session.closeTerminal(terminal)}
        onDoubleClick={() => void session.renameTerminal(terminal)}
      >
        <SquareTerminal
          size={14}
          className={cx(
            "shrink-0",
            info.exit ? (failed ? "text-failed" : "text-faint") : info.busy ? "text-running" : "text-faint",
          )}
          aria-hidden
        />
        <span className={cx("max-w-40 truncate", info.exit && "text-faint")}>{shown(title)}</span>
        {info.busy && !info.exit && <span className="sr-only">, running</span>}
        {info.exit && <span className="sr-only">, ended</span>}
        {/* For the mouse: a tab holds nothing else that could take the focus; keys close it by command. */}
        <span
          role="presentation"
          onClick={(event) => {
            event.stopPropagation();
            void session.closeTerminal(terminal);
          }}
          onPointerDown={(event) => event.stopPropagation()}
          className="inline-flex size-5 shrink-0 items-center justify-center rounded-sm text-muted opacity-0 group-hover/tab:opacity-100 hover:bg-active hover:text-fg"
        >
          <X size={12} aria-hidden />
        </span>
      </div>
    </ContextMenu>
  );
}

function FixedTab({ api }: IDockviewPanelHeaderProps) {
  const Icon = api.id === "ports" ? Radio : ScrollText;
  return (
    <div className="flex h-full items-center gap-1.5 px-2.5">
      <Icon size={14} className="shrink-0 text-faint" aria-hidden />
      {api.title}
    </div>
  );
}

function Actions({ activePanel, panels, containerApi, group }: IDockviewHeaderActionsProps) {
  const session = useSession();
  const layout = useModel(session.layout);
  const newKeys = useCommandKeys("terminal.new");
  const { panel } = layout.value;
  const { shells } = session.inside;
  const hasTerminals = panels.some((entry) => terminalOf(entry) !== undefined);
  // What concerns the whole panel stands once, in the last group of the top row.
  const rightmost = containerApi.groups.at(-1) === group;
  const noRoot = useNoRoot(session.workspace);
  const create = (options: Parameters<typeof session.newTerminal>[0] = {}) =>
    void session.newTerminal(options).catch(toastError);
  return (
    <div className="flex h-full items-center gap-0.5 px-1.5">
      {(hasTerminals || containerApi.groups.length === 1) && (
        <>
          <IconButton
            size="small"
            label="New terminal"
            keys={newKeys}
            icon={<Plus size={16} />}
            onClick={() => create()}
          />
          <Menu
            align="end"
            entries={[
              ...shells.map((shell) => ({
                label: shown(shell),
                checked: shell === session.inside.shell,
                onSelect: () => create({ command: [shell] }),
              })),
              "separator",
              {
                label: "As root",
                disabled: noRoot !== undefined,
                reason: noRoot,
                onSelect: () => create({ asRoot: true }),
              },
            ]}
          >
            <button
              type="button"
              aria-label="New terminal with another shell or user"
              className="inline-flex h-6 w-4 items-center justify-center rounded-sm text-muted hover:bg-hover hover:text-fg"
            >
              <ChevronDown size={12} aria-hidden />
            </button>
          </Menu>
          {terminalOf(activePanel) !== undefined && (
            <IconButton
              size="small"
              label="Split terminal"
              keys="Mod+Shift+5"
              icon={<SquareSplitHorizontal size={14} />}
              onClick={() => void session.newTerminal({ beside: activePanel?.id }).catch(toastError)}
            />
          )}
        </>
      )}
      {rightmost && (
        <>
          <IconButton
            size="small"
            label={panel.maximised ? "Restore panel size" : "Maximise panel"}
            icon={panel.maximised ? <ChevronsDown size={14} /> : <ChevronsUp size={14} />}
            onClick={() => session.layout.update({ panel: { ...panel, maximised: !panel.maximised } })}
          />
          <IconButton
            size="small"
            label="Hide panel"
            keys="Mod+J"
            icon={<X size={14} />}
            onClick={() => session.togglePanel(false)}
          />
        </>
      )}
    </div>
  );
}

function NoTerminals() {
  const session = useSession();
  return (
    <EmptyState
      icon={<SquareTerminal size={24} strokeWidth={1.5} />}
      title="No terminal is open"
      action={<Button onClick={() => void session.newTerminal().catch(toastError)}>New terminal</Button>}
    />
  );
}
