import { useQueryClient } from "@tanstack/react-query";
import { Pause, Play, Power } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState, type ReactNode } from "react";
import { callKey, useAction, useClient } from "@/client";
import { Button, EmptyState, ErrorState, Loading, Skeleton, toastError } from "@/components";
import { cx } from "@/lib/cx";
import { type Workspace, type WorkspaceId } from "@/protocol/generated";
import { useActiveWorkspace } from "@/state/navigation";
import { previewKey, type Preview } from "@/state/preview";
import { useKeepsRoot, useWorkspace } from "@/state/workspaces";
import { ActivityBar } from "./ActivityBar";
import { Boundary } from "./Boundary";
import { useCockpitCommands } from "./commands";
import { EditorArea } from "./editor/EditorArea";
import { loadPool } from "./editor/load";
import { LanguagePicker } from "./LanguagePicker";
import { LinkBar } from "./LinkBar";
import { BottomDock } from "./panels/BottomDock";
import { QuestionDialog } from "./QuestionDialog";
import { relative } from "./model/path";
import { Sash } from "./Sash";
import { QuickOpen } from "./search/QuickOpen";
import { SessionContext } from "./session/context";
import { useOpened } from "./session/open";
import { type CockpitSession } from "./session/session";
import { SideBar } from "./SideBar";
import { StatusItems } from "./StatusItems";
import { useTerminalSettings } from "./terminal/TerminalPane";
import { UnderWay } from "./UnderWay";
import { useModel } from "./useModel";

const SIDE_MIN = 170;
const PANEL_MIN = 90;
const EDITOR_MIN = 120;
/** Below this the side bar lies over the editor. */
const NARROW = 760;
const PREVIEW_MS = 10_000;
const PREVIEW_LINES = 24;
const PREVIEW_COLUMNS = 100;

/** An open workspace: files, editor, terminals. Stays mounted while its tab is hidden. */
export function Cockpit({ workspaceId }: { workspaceId: WorkspaceId }) {
  const workspace = useWorkspace(workspaceId);
  const active = useActiveWorkspace() === workspaceId;
  const { session, error, reopen } = useOpened(workspaceId, workspace?.state);
  if (!workspace) return null;
  if (!session) {
    return error ? (
      <div className="p-6">
        <ErrorState title={`${workspace.name} could not be opened`} error={error} onRetry={reopen} />
      </div>
    ) : (
      <NotOpen workspace={workspace} />
    );
  }
  return (
    <SessionContext value={{ session, active }}>
      <Workbench workspace={workspace} session={session} active={active} onReopen={reopen} />
    </SessionContext>
  );
}

/** A workspace that does not run: what it is in, and the one thing to do. */
function NotOpen({ workspace }: { workspace: Workspace }) {
  const start = useAction("workspace.start");
  const unpause = useAction("workspace.unpause");
  const keepsRoot = useKeepsRoot(workspace);
  const { state, name } = workspace;
  const target = { workspace: workspace.id };
  if (state === "stopped") {
    return (
      <Middle>
        <EmptyState
          icon={<Power size={28} strokeWidth={1.5} />}
          title={`${name} is stopped`}
          action={
            <Button
              kind="primary"
              icon={<Play size={14} aria-hidden />}
              busy={start.isPending}
              onClick={() => start.mutate(target, { onError: toastError })}
            >
              Start workspace
            </Button>
          }
        >
          {workspace.message ??
            `${keepsRoot ? "Its files are kept." : "What lies in its volume is kept."} Start it to work on them.`}
        </EmptyState>
      </Middle>
    );
  }
  if (state === "paused") {
    return (
      <Middle>
        <EmptyState
          icon={<Pause size={28} strokeWidth={1.5} />}
          title={`${name} is paused`}
          action={
            <Button
              kind="primary"
              icon={<Play size={14} aria-hidden />}
              busy={unpause.isPending}
              onClick={() => unpause.mutate(target, { onError: toastError })}
            >
              Resume
            </Button>
          }
        >
          Its programs stand still and go on where they were.
        </EmptyState>
      </Middle>
    );
  }
  if (state === "running") {
    return (
      <Loading>
        <div className="flex h-full">
          <div className="w-11 border-r border-line bg-frame" />
          <div className="flex w-65 flex-col gap-2 border-r border-line bg-surface p-3">
            {[60, 80, 50, 70, 65].map((width) => (
              <div key={width} style={{ width: `${width}%` }}>
                <Skeleton className="h-3.5" />
              </div>
            ))}
          </div>
        </div>
      </Loading>
    );
  }
  return <UnderWay workspace={workspace} />;
}

function Middle({ children }: { children: ReactNode }) {
  return <div className="flex h-full items-center justify-center">{children}</div>;
}

interface WorkbenchProps {
  workspace: Workspace;
  session: CockpitSession;
  active: boolean;
  onReopen: () => void;
}

function Workbench({ workspace, session, active, onReopen }: WorkbenchProps) {
  const layout = useModel(session.layout);
  const { sideBar, panel } = layout.value;
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 1200, height: 800 });
  useCockpitCommands(session, active);
  useTerminalSettings();
  usePreviewKept(session, active);
  useKeptOnLeave(session);

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    // The editor is fetched while nobody waits for it.
    const timer = setTimeout(() => void loadPool().catch(() => undefined), 300);
    return () => clearTimeout(timer);
  }, []);

  const narrow = size.width < NARROW;
  useSheet(session, narrow);
  const sideMax = Math.max(SIDE_MIN, size.width - 44 - (narrow ? 60 : 320));
  const sideWidth = Math.min(sideBar.width, sideMax);
  const panelMax = Math.max(PANEL_MIN, size.height - EDITOR_MIN);
  const panelHeight = Math.min(panel.height, panelMax);
  const maximised = panel.visible && panel.maximised;
  return (
    <div ref={frame} className="relative flex h-full min-h-0 bg-canvas">
      <ActivityBar />
      {sideBar.visible && narrow && (
        <button
          type="button"
          aria-label="Close the side bar"
          tabIndex={-1}
          className="absolute inset-y-0 right-0 left-11 z-20 animate-appear bg-overlay"
          onClick={() => session.layout.update({ sideBar: { ...sideBar, visible: false } })}
        />
      )}
      {sideBar.visible && (
        <>
          <div
            style={{ width: sideWidth }}
            className={cx("shrink-0", narrow && "absolute inset-y-0 left-11 z-20 shadow-pop")}
          >
            <Boundary name="The side bar">
              <SideBar />
            </Boundary>
          </div>
          <Sash
            label="Width of the side bar"
            orientation="vertical"
            size={sideWidth}
            min={SIDE_MIN}
            max={sideMax}
            onResize={(width) =>
              session.layout.update({ sideBar: { ...session.layout.value.sideBar, width } })
            }
            onReset={() =>
              session.layout.update({ sideBar: { ...session.layout.value.sideBar, width: 260 } })
            }
          />
        </>
      )}
      <div className="flex min-w-0 flex-1 flex-col">
        <LinkBar workspace={workspace} onReopen={onReopen} />
        <div data-region="editor" className={cx("min-h-0 flex-1", maximised && "hidden")}>
          <Boundary name="The editor">
            <EditorArea />
          </Boundary>
        </div>
        {panel.visible && !maximised && (
          <Sash
            label="Height of the panel"
            orientation="horizontal"
            after
            size={panelHeight}
            min={PANEL_MIN}
            max={panelMax}
            onResize={(height) => session.layout.update({ panel: { ...session.layout.value.panel, height } })}
            onReset={() => session.layout.update({ panel: { ...session.layout.value.panel, height: 260 } })}
          />
        )}
        <div
          data-region="panel"
          className={cx(maximised ? "min-h-0 flex-1" : "shrink-0", !panel.visible && "hidden")}
          style={maximised ? undefined : { height: panelHeight }}
        >
          <Boundary name="The panel">
            <BottomDock />
          </Boundary>
        </div>
      </div>
      {active && <StatusItems workspace={workspace} />}
      {active && <QuickOpen />}
      {active && <LanguagePicker />}
      {active && <QuestionDialog />}
    </div>
  );
}

/** In a narrow window the side bar lies over the editor: it steps aside there, and for a file opened from it. */
function useSheet(session: CockpitSession, narrow: boolean): void {
  const opened = session.layout.value.recent[0];
  const stepAside = useEffectEvent(() => {
    const { sideBar } = session.layout.value;
    if (sideBar.visible && sideBar.view === "explorer")
      session.layout.update({ sideBar: { ...sideBar, visible: false } });
  });
  useEffect(() => {
    if (narrow) stepAside();
  }, [narrow, opened]);
  useEffect(() => {
    if (!narrow) return;
    const { visible } = session.layout.value.sideBar;
    return () => {
      if (!visible) return;
      const { sideBar } = session.layout.value;
      session.layout.update({ sideBar: { ...sideBar, visible: true } });
    };
  }, [session, narrow]);
}

/** What is typed last reaches the host before the page goes away. */
function useKeptOnLeave(session: CockpitSession): void {
  useEffect(() => {
    const keep = () => {
      session.layout.flush();
      void session.documents.flushDrafts();
    };
    const onVisibility = () => {
      if (document.visibilityState === "hidden") keep();
    };
    window.addEventListener("pagehide", keep);
    window.addEventListener("blur", keep);
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      window.removeEventListener("pagehide", keep);
      window.removeEventListener("blur", keep);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, [session]);
}

/** Keeps what the workspace looks like, for the switcher and the dashboard's cards. */
function usePreviewKept(session: CockpitSession, active: boolean): void {
  const client = useClient();
  const queries = useQueryClient();
  const last = useRef("");
  const keep = useEffectEvent(() => {
    const terminal = session.bottom.activeTerminal;
    const pane = session.groups.activePane;
    const preview: Preview = {
      lines: terminal ? session.screens.text(terminal, PREVIEW_LINES, PREVIEW_COLUMNS) : [],
      ...(pane ? { file: relative(session.inside.folder, pane.path) } : {}),
    };
    const text = JSON.stringify(preview);
    if (text === last.current) return;
    last.current = text;
    const key = previewKey(session.workspace);
    queries.setQueryData(callKey("state.get", { key }), preview);
    // Only a picture: the next change tries again.
    client.call("state.put", { key, value: preview }).catch(() => (last.current = ""));
  });
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => keep(), PREVIEW_MS);
    return () => {
      clearInterval(timer);
      keep();
    };
  }, [active]);
}
