import { type TerminalSession, type Terminals } from "../model/terminals";
import { onThemeChange } from "../editor/theme";
import { XtermScreen, type ScreenEvents } from "./screen";

const SCREEN_READER_KEY = "aicockpit.terminal.screenReader";

/** The xterms of a workspace's terminals, each made when it is first seen. */
export class Screens {
  private readonly screens = new Map<number, XtermScreen>();
  private readonly terminals: Terminals;
  private readonly events: Pick<ScreenEvents, "openAddress" | "openPath">;
  private readonly stops: (() => void)[];
  private fontSize = 13;
  private lastSize = { columns: 80, rows: 24 };
  screenReader = localStorage.getItem(SCREEN_READER_KEY) === "on";

  constructor(terminals: Terminals, events: Pick<ScreenEvents, "openAddress" | "openPath">) {
    this.terminals = terminals;
    this.events = events;
    this.stops = [
      onThemeChange(() => this.screens.forEach((screen) => screen.applyTheme())),
      terminals.subscribe(() => this.dropClosed()),
    ];
  }

  of(session: TerminalSession): XtermScreen {
    const known = this.screens.get(session.id);
    if (known) return known;
    const screen = new XtermScreen(
      {
        ...this.events,
        input: (bytes) => session.input(bytes),
        resize: (columns, rows) => {
          this.lastSize = { columns, rows };
          session.resize(columns, rows);
        },
      },
      { fontSize: this.fontSize, screenReader: this.screenReader },
    );
    this.screens.set(session.id, screen);
    session.setScreen(screen);
    return screen;
  }

  /** The size that a new terminal will probably have, so that its first prompt need not be drawn twice. */
  likelySize(): { columns: number; rows: number } {
    return this.lastSize;
  }

  /** The last lines of a terminal's screen as plain text. */
  text(session: TerminalSession, lines: number, columns: number): string[] {
    const buffer = this.screens.get(session.id)?.terminal.buffer.active;
    if (!buffer) return [];
    const end = buffer.baseY + buffer.cursorY + 1;
    return Array.from({ length: Math.min(lines, end) }, (_, index) => {
      const line = buffer.getLine(end - Math.min(lines, end) + index);
      return (line?.translateToString(true) ?? "").slice(0, columns);
    });
  }

  setFontSize(size: number): void {
    this.fontSize = size;
    this.screens.forEach((screen) => screen.setFontSize(size));
  }

  setScreenReader(on: boolean): void {
    this.screenReader = on;
    localStorage.setItem(SCREEN_READER_KEY, on ? "on" : "off");
    this.screens.forEach((screen) => screen.setScreenReader(on));
  }

  private dropClosed(): void {
    for (const [id, screen] of this.screens) {
      if (this.terminals.get(id)) continue;
      this.screens.delete(id);
      screen.dispose();
    }
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.screens.forEach((screen) => screen.dispose());
    this.screens.clear();
  }
}
