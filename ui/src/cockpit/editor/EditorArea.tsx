import {
  DockviewReact,
  type DockviewReadyEvent,
  type IDockviewHeaderActionsProps,
  type IDockviewPanelHeaderProps,
  type IDockviewPanelProps,
} from "dockview-react";
import { BookOpen, Circle, Columns2, Ellipsis, X } from "lucide-react";
import { type FunctionComponent, type MouseEvent } from "react";
import { keysOf, keyText, useCommandList } from "@/commands";
import { ContextMenu, IconButton, Menu, type MenuEntry } from "@/components";
import { cx } from "@/lib/cx";
import { GIT_LETTERS } from "../model/git";
import { copyText, relativeTo } from "../explorer/entries";
import { readDragged } from "../explorer/drag";
import { FileIcon } from "../explorer/icons";
import { basename, dirname, extension, relative, shown } from "../model/path";
import { useSession } from "../session/context";
import { guarded } from "../Boundary";
import { DOCK_THEME } from "../dock";
import { useModel } from "../useModel";
import { DiffPane } from "./DiffPane";
import { FilePane } from "./FilePane";
import { paneOf, type PaneParams } from "./groups";
import { MarkdownPane } from "./MarkdownPane";

const PANES: Record<string, FunctionComponent<IDockviewPanelProps>> = {
  file: guarded("This file", FilePane as FunctionComponent<IDockviewPanelProps>),
  markdown: guarded("This preview", MarkdownPane as FunctionComponent<IDockviewPanelProps>),
  diff: guarded("This comparison", DiffPane as FunctionComponent<IDockviewPanelProps>),
};

/** The editor: tabs and splits of files. */
export function EditorArea() {
  const session = useSession();
  return (
    <DockviewReact
      className="h-full"
      theme={DOCK_THEME}
      components={PANES}
      defaultTabComponent={FileTab}
      rightHeaderActionsComponent={GroupActions}
      watermarkComponent={Welcome}
      disableFloatingGroups
      scrollbars="native"
      onReady={({ api }: DockviewReadyEvent) => session.groups.attach(api)}
      onDidDrop={({ nativeEvent, group, position }) => {
        const data = nativeEvent instanceof DragEvent ? nativeEvent.dataTransfer : null;
        const paths = data && readDragged(data, session.workspace);
        if (paths) session.groups.dropped(paths, group, position);
      }}
    />
  );
}

function FileTab({ api, params }: IDockviewPanelHeaderProps<PaneParams>) {
  const session = useSession();
  const groups = useModel(session.groups);
  const documents = useModel(session.documents);
  const git = useModel(session.git);
  const { path, mode, transient } = params;
  const document = documents.get(path);
  const name =
    document?.name ?? (path.startsWith("untitled:") ? `Untitled-${path.slice(9)}` : basename(path));
  const dirty = mode === "file" && document?.dirty === true;
  const gone = document?.conflict?.kind === "deleted";
  const change = mode === "file" ? git.decorations.of(path) : undefined;
  const panel = groups.panels.find((other) => other.id === api.id);
  const folder = groups.isAmbiguous(path) ? basename(dirname(path)) : undefined;
  const suffix = mode === "markdown" ? "Preview " : "";
  const close = () => panel && void groups.close(panel);
  const onMouseDown = (event: MouseEvent) => {
    // The middle button closes; it must not start to scroll.
    if (event.button === 1) event.preventDefault();
  };
  return (
    <ContextMenu entries={panel ? tabMenu(session, panel) : []}>
      <div
        role="presentation"
        className="group/tab flex h-full items-center gap-1.5 pr-1 pl-2.5"
        title={`${shown(path)}${dirty ? " • unsaved" : ""}${gone ? " • deleted" : ""}`}
        onMouseDown={onMouseDown}
        onAuxClick={(event) => event.button === 1 && close()}
        onDoubleClick={() => panel && groups.keep(panel)}
      >
        {mode === "markdown" ? (
          <BookOpen size={14} className="shrink-0 text-faint" aria-hidden />
        ) : (
          <FileIcon path={name} size={14} />
        )}
        <span
          className={cx(
            "max-w-48 truncate",
            transient && "italic",
            gone && "line-through",
            change === "conflicted" && "text-failed",
            change === "modified" && "text-starting",
            (change === "untracked" || change === "added") && "text-running",
          )}
        >
          {suffix}
          {mode === "diff" ? `${shown(name)} ↔ disk` : shown(name)}
        </span>
        {folder !== undefined && (
          <span className="max-w-24 truncate text-xs text-faint">{shown(folder)}</span>
        )}
        {change && change !== "ignored" && <span className="sr-only">, {GIT_LETTERS[change]}</span>}
        {dirty && <span className="sr-only">, unsaved</span>}
        {/* For the mouse: a tab holds nothing else that could take the focus; keys close it by command. */}
        <span
          role="presentation"
          onClick={(event) => {
            event.stopPropagation();
            close();
          }}
          onPointerDown={(event) => event.stopPropagation()}
          className={cx(
            "inline-flex size-5 shrink-0 items-center justify-center rounded-sm text-muted hover:bg-active hover:text-fg",
            !dirty && !api.isActive && "opacity-0 group-hover/tab:opacity-100",
          )}
        >
          {dirty ? (
            <>
              <Circle size={9} fill="currentColor" className="group-hover/tab:hidden" aria-hidden />
              <X size={14} className="hidden group-hover/tab:block" aria-hidden />
            </>
          ) : (
            <X size={14} aria-hidden />
          )}
        </span>
      </div>
    </ContextMenu>
  );
}

type Panel = ReturnType<typeof useSession>["groups"]["panels"][number];

function tabMenu(session: ReturnType<typeof useSession>, panel: Panel): MenuEntry[] {
  const { groups } = session;
  const { path, transient } = paneOf(panel);
  const { panels } = panel.group;
  const index = panels.indexOf(panel);
  const file = !path.startsWith("untitled:");
  const settled = panels.filter((other) => session.documents.get(paneOf(other).path)?.dirty !== true);
  return [
    { label: "Close", onSelect: () => void groups.close(panel) },
    {
      label: "Close others",
      disabled: panels.length < 2,
      onSelect: () => void groups.closeAll(panels.filter((other) => other !== panel)),
    },
    {
      label: "Close to the right",
      disabled: index >= panels.length - 1,
      onSelect: () => void groups.closeAll(panels.slice(index + 1)),
    },
    { label: "Close saved", disabled: settled.length === 0, onSelect: () => void groups.closeAll(settled) },
    { label: "Close all", onSelect: () => void groups.closeAll(panels) },
    "separator",
    transient && { label: "Keep open", onSelect: () => groups.keep(panel) },
    {
      label: "Split right",
      onSelect: () => {
        panel.api.setActive();
        groups.split("right");
      },
    },
    {
      label: "Split down",
      onSelect: () => {
        panel.api.setActive();
        groups.split("below");
      },
    },
    file && "separator",
    file && { label: "Copy path", onSelect: () => void copyText(path) },
    file && { label: "Copy relative path", onSelect: () => void copyText(relativeTo(session, path)) },
    file && {
      label: "Show in explorer",
      onSelect: () => {
        session.showSide("explorer");
        void session.tree.reveal(path);
      },
    },
  ];
}

function GroupActions({ panels, activePanel }: IDockviewHeaderActionsProps) {
  const session = useSession();
  useModel(session.groups);
  if (!activePanel) return null;
  const { path, mode } = paneOf(activePanel);
  const markdown = mode === "file" && ["md", "markdown", "mdx"].includes(extension(path));
  return (
    <div className="flex h-full items-center gap-0.5 px-1.5">
      {markdown && (
        <IconButton
          size="small"
          label="Open preview to the side"
          keys="Mod+K V"
          icon={<BookOpen size={14} />}
          onClick={() => {
            activePanel.api.setActive();
            session.groups.open(path, { mode: "markdown", beside: true });
          }}
        />
      )}
      <IconButton
        size="small"
        label="Split right"
        keys="Mod+\"
        icon={<Columns2 size={14} />}
        onClick={() => {
          activePanel.api.setActive();
          session.groups.split("right");
        }}
      />
      <Menu
        align="end"
        entries={[
          { label: "Close all", onSelect: () => void session.groups.closeAll(panels) },
          {
            label: "Close saved",
            onSelect: () =>
              void session.groups.closeAll(
                panels.filter((panel) => session.documents.get(paneOf(panel).path)?.dirty !== true),
              ),
          },
          {
            label: "Reopen closed tab",
            disabled: !session.groups.canReopen,
            onSelect: () => session.groups.reopenClosed(),
          },
        ]}
      >
        <IconButton size="small" label="More for these tabs" icon={<Ellipsis size={14} />} />
      </Menu>
    </div>
  );
}

const HINTS = [
  "cockpit.quickOpen",
  "cockpit.search",
  "terminal.toggle",
  "file.newUntitled",
  "app.palette",
] as const;

/** What is shown where no file is open: the keys to begin with, and what was open before. */
function Welcome() {
  const session = useSession();
  const layout = useModel(session.layout);
  const commands = useCommandList();
  const hints = HINTS.map((id) => commands.find((command) => command.id === id)).filter(
    (command) => command !== undefined,
  );
  const recent = layout.value.recent.slice(0, 6);
  return (
    <div className="flex h-full items-center justify-center overflow-auto bg-canvas p-6">
      <div className="flex w-80 flex-col gap-6">
        <dl className="grid grid-cols-[1fr_auto] gap-x-6 gap-y-1.5 text-base text-muted">
          {hints.map((command) => {
            const keys = keysOf(command)[0];
            return (
              <div key={command.id} className="col-span-2 grid grid-cols-subgrid items-baseline">
                <dt>{command.title}</dt>
                <dd className="text-right text-sm text-faint">{keys === undefined ? "" : keyText(keys)}</dd>
              </div>
            );
          })}
        </dl>
        {recent.length > 0 && (
          <div>
            <h2 className="mb-1 text-sm font-semibold text-muted">Recent files</h2>
            <ul>
              {recent.map((path) => (
                <li key={path}>
                  <button
                    type="button"
                    className="flex h-6 w-full items-center gap-1.5 rounded-sm px-1 text-left hover:bg-hover"
                    onClick={() => session.groups.open(path, { keep: true })}
                  >
                    <FileIcon path={path} size={14} />
                    <span className="shrink-0">{shown(basename(path))}</span>
                    <span className="truncate text-sm text-faint">
                      {shown(dirname(relative(session.inside.folder, path))).replace(/^\/$/, "")}
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </div>
  );
}
