import { type IDockviewPanelProps } from "dockview-react";
import { Circle, RotateCw } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState, type ReactNode } from "react";
import { useCall } from "@/client";
import { Button, ContextMenu, toastError, type MenuEntry } from "@/components";
import { type TerminalSession } from "../model/terminals";
import { useVisible } from "../editor/FilePane";
import { type TerminalParams } from "../panels/bottom";
import { useCockpit, useSession } from "../session/context";
import { useModel } from "../useModel";
import { FindBar } from "./FindBar";
import { type XtermScreen } from "./screen";

/** A terminal in a tab; it streams only while it is seen. */
export function TerminalPane({ api, params }: IDockviewPanelProps<TerminalParams>) {
  const { session, active } = useCockpit();
  const terminals = useModel(session.terminals);
  const layout = useModel(session.layout);
  const front = useVisible(api);
  const terminal = terminals.get(params.terminal);
  const visible = front && active && layout.value.panel.visible;
  if (!terminal) return <div className="h-full bg-code-bg" />;
  return <TerminalView terminal={terminal} panel={api.id} visible={visible} shownAtAll={front} />;
}

function TerminalView({
  terminal,
  panel,
  visible,
  shownAtAll,
}: {
  terminal: TerminalSession;
  panel: string;
  visible: boolean;
  /** In front of its group: it keeps its place on the page, even while the whole cockpit is hidden. */
  shownAtAll: boolean;
}) {
  const session = useSession();
  const bottom = useModel(session.bottom);
  useModel(terminal);
  const place = useRef<HTMLDivElement>(null);
  const [screen, setScreen] = useState<XtermScreen>();

  useEffect(() => {
    const element = place.current;
    if (!shownAtAll || !element) return;
    const shown = session.screens.of(terminal);
    let gone = false;
    void shown.show(element).then(() => {
      if (!gone) setScreen(shown);
    });
    let frame = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => shown.fit());
    });
    observer.observe(element);
    return () => {
      gone = true;
      cancelAnimationFrame(frame);
      observer.disconnect();
      shown.hide();
      setScreen(undefined);
    };
  }, [session, terminal, shownAtAll]);

  useEffect(() => {
    if (!screen) return;
    terminal.setVisible(visible);
    return () => terminal.setVisible(false);
  }, [terminal, screen, visible]);

  const attend = useEffectEvent(() => {
    if (visible && screen && session.bottom.takeFocus(panel)) screen.focus();
  });
  const version = bottom.version();
  useEffect(() => attend(), [version, screen, visible]);

  return (
    <div className="relative flex h-full flex-col bg-code-bg">
      {bottom.finding === terminal.id && screen && (
        <FindBar
          screen={screen}
          onClose={() => {
            bottom.find(undefined);
            screen.focus();
          }}
        />
      )}
      <ContextMenu
        entries={screen ? terminalMenu(session, terminal, screen, panel, () => bottom.find(terminal.id)) : []}
      >
        <div
          ref={place}
          data-terminal={terminal.id}
          data-focus-target
          className="min-h-0 flex-1 overflow-hidden"
          onPointerDown={() => session.bottom.noteUsed(terminal.id)}
        />
      </ContextMenu>
      {terminal.problem !== undefined && terminal.state === "detached" && visible && (
        <Strip>
          <span className="min-w-0 flex-1 truncate">
            This terminal could not be reached: {terminal.problem}
          </span>
          <Button size="small" onClick={() => terminal.reconnect()}>
            Try again
          </Button>
        </Strip>
      )}
      {terminal.info.exit && <Ended terminal={terminal} panel={panel} status={terminal.info.exit.status} />}
    </div>
  );
}

function Strip({ children }: { children: ReactNode }) {
  return (
    <div
      role="status"
      className="flex h-8 shrink-0 items-center gap-2 border-t border-line bg-surface px-3 text-sm text-muted"
    >
      {children}
    </div>
  );
}

function Ended({ terminal, panel, status }: { terminal: TerminalSession; panel: string; status: number }) {
  const session = useSession();
  const failed = status !== 0;
  const restart = () => {
    const { directory } = terminal.info;
    session
      .newTerminal({ beside: undefined, replace: panel, ...(directory === undefined ? {} : { directory }) })
      .then(() => session.terminals.close(terminal.id))
      .catch(toastError);
  };
  return (
    <Strip>
      <Circle size={8} fill="currentColor" className={failed ? "text-failed" : "text-stopped"} aria-hidden />
      <span className="min-w-0 flex-1 truncate">
        {status > 128 ? `Ended by signal ${status - 128}.` : `Ended with status ${status}.`} Its output stays
        readable.
      </span>
      <Button size="small" icon={<RotateCw size={12} aria-hidden />} onClick={restart}>
        Restart
      </Button>
      <Button
        size="small"
        kind="ghost"
        onClick={() => void session.terminals.close(terminal.id).catch(toastError)}
      >
        Close
      </Button>
    </Strip>
  );
}

function terminalMenu(
  session: ReturnType<typeof useSession>,
  terminal: TerminalSession,
  screen: XtermScreen,
  panel: string,
  find: () => void,
): MenuEntry[] {
  const selection = screen.terminal.getSelection();
  return [
    {
      label: "Copy",
      keys: "Mod+Shift+C",
      disabled: selection === "",
      onSelect: () => void navigator.clipboard.writeText(selection),
    },
    {
      label: "Paste",
      keys: "Mod+Shift+V",
      disabled: terminal.info.exit !== undefined,
      onSelect: () => void pasteInto(screen),
    },
    { label: "Select all", onSelect: () => screen.terminal.selectAll() },
    { label: "Find", keys: "Mod+Alt+F", onSelect: find },
    { label: "Clear", onSelect: () => screen.terminal.clear() },
    "separator",
    {
      label: "Split",
      keys: "Mod+Shift+5",
      onSelect: () => void session.newTerminal({ beside: panel }).catch(toastError),
    },
    { label: "Rename…", onSelect: () => void session.renameTerminal(terminal) },
    "separator",
    { label: "Close terminal", danger: true, onSelect: () => void session.closeTerminal(terminal) },
  ];
}

export async function pasteInto(screen: XtermScreen): Promise<void> {
  try {
    screen.terminal.paste(await navigator.clipboard.readText());
    screen.focus();
  } catch {
    toastError(new Error("The clipboard cannot be read here; press Ctrl+Shift+V in the terminal instead."));
  }
}

/** The terminals' size of type follows the settings. */
export function useTerminalSettings(): void {
  const session = useSession();
  const settings = useCall("settings.get", {}).data;
  useEffect(() => {
    if (settings) session.applySettings(settings);
  }, [session, settings]);
}
