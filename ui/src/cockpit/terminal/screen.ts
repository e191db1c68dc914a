import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal, type ITheme } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { tokenColour } from "../editor/theme";
import { type TerminalScreen } from "../model/terminals";
import { pathLinks, type OpenPath } from "./pathLinks";

const FONT = '"JetBrains Mono Variable", ui-monospace, monospace';
const SCROLLBACK_LINES = 10_000;
/** Tokens are chosen for AA; programs that choose their own colours are kept readable too. */
const MINIMUM_CONTRAST = 4.5;

// xterm's WebGL renderer is slow or breaks on WebKitGTK, where the DOM renderer is fast enough.
const WEBGL = /Chrom(e|ium)\//.test(navigator.userAgent);

export interface ScreenEvents {
  input: (bytes: Uint8Array) => void;
  resize: (columns: number, rows: number) => void;
  openAddress: (address: string) => void;
  openPath: OpenPath;
}

/** An xterm that outlives the place it is shown in, so that a moved or hidden terminal keeps its scrollback. */
export class XtermScreen implements TerminalScreen {
  readonly terminal: Terminal;
  readonly search = new SearchAddon({ highlightLimit: 1000 });
  private readonly fitting = new FitAddon();
  private readonly element = document.createElement("div");
  private webgl: WebglAddon | undefined;
  private webglFailed = false;
  private opened = false;
  private readonly encoder = new TextEncoder();

  constructor(events: ScreenEvents, options: { fontSize: number; screenReader: boolean }) {
    this.element.className = "size-full";
    this.terminal = new Terminal({
      allowProposedApi: true,
      fontFamily: FONT,
      fontSize: options.fontSize,
      lineHeight: 1.2,
      scrollback: SCROLLBACK_LINES,
      cursorBlink: false,
      cursorInactiveStyle: "outline",
      cursorStyle: "block",
      macOptionIsMeta: true,
      minimumContrastRatio: MINIMUM_CONTRAST,
      rescaleOverlappingGlyphs: true,
      screenReaderMode: options.screenReader,
      theme: terminalTheme(),
      linkHandler: {
        activate: (event, address) => {
          if (event.ctrlKey || event.metaKey) events.openAddress(address);
        },
      },
    });
    const { terminal } = this;
    terminal.loadAddon(this.fitting);
    terminal.loadAddon(this.search);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    terminal.loadAddon(
      new WebLinksAddon((event, address) => {
        if (event.ctrlKey || event.metaKey) events.openAddress(address);
      }),
    );
    terminal.registerLinkProvider(pathLinks(terminal, events.openPath));
    terminal.onData((text) => events.input(this.encoder.encode(text)));
    terminal.onBinary((text) => events.input(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => events.resize(cols, rows));
  }

  /** Puts the terminal into `place`; opening waits for the font, by which the cells are measured. */
  async show(place: HTMLElement): Promise<void> {
    place.append(this.element);
    if (!this.opened) {
      await document.fonts
        .load(`${this.terminal.options.fontSize ?? 13}px "JetBrains Mono Variable"`)
        .catch(() => []);
      if (this.opened) return;
      this.opened = true;
      this.terminal.open(this.element);
    }
    this.leaseWebgl();
    this.fit();
  }

  /** Takes the terminal off the page; its graphics context goes back, of which a browser has few. */
  hide(): void {
    this.webgl?.dispose();
    this.webgl = undefined;
    this.element.remove();
  }

  private leaseWebgl(): void {
    if (!WEBGL || this.webgl || this.webglFailed || !this.element.isConnected) return;
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        // The DOM renderer takes over; asking for a context again would lose it again.
        this.webglFailed = true;
        webgl.dispose();
        this.webgl = undefined;
      });
      this.terminal.loadAddon(webgl);
      this.webgl = webgl;
    } catch {
      this.webglFailed = true;
    }
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.terminal.write(bytes, done);
  }

  reset(columns: number, rows: number): void {
    this.terminal.reset();
    this.terminal.resize(Math.max(2, columns), Math.max(1, rows));
  }

  fit(): void {
    if (!this.opened || this.element.clientWidth === 0 || this.element.clientHeight === 0) return;
    const size = this.fitting.proposeDimensions();
    if (size && Number.isFinite(size.cols) && Number.isFinite(size.rows))
      this.terminal.resize(size.cols, size.rows);
  }

  size(): { columns: number; rows: number } {
    return { columns: this.terminal.cols, rows: this.terminal.rows };
  }

  applyTheme(): void {
    this.terminal.options.theme = terminalTheme();
    this.webgl?.clearTextureAtlas();
  }

  setFontSize(size: number): void {
    if (this.terminal.options.fontSize === size) return;
    this.terminal.options.fontSize = size;
    this.fit();
  }

  setScreenReader(on: boolean): void {
    this.terminal.options.screenReaderMode = on;
  }

  focus(): void {
    this.terminal.focus();
  }

  dispose(): void {
    this.hide();
    this.terminal.dispose();
  }
}

function terminalTheme(): ITheme {
  const background = tokenColour("--code-bg");
  return {
    background,
    foreground: tokenColour("--code-fg"),
    cursor: tokenColour("--focus"),
    cursorAccent: background,
    selectionBackground: tokenColour("--code-selection"),
    selectionInactiveBackground: tokenColour("--code-selection", 0.6),
    scrollbarSliderBackground: tokenColour("--line-strong", 0.5),
    scrollbarSliderHoverBackground: tokenColour("--line-strong", 0.8),
    scrollbarSliderActiveBackground: tokenColour("--line-strong"),
    overviewRulerBorder: "#00000000",
    black: tokenColour("--ansi-black"),
    red: tokenColour("--ansi-red"),
    green: tokenColour("--ansi-green"),
    yellow: tokenColour("--ansi-yellow"),
    blue: tokenColour("--ansi-blue"),
    magenta: tokenColour("--ansi-magenta"),
    cyan: tokenColour("--ansi-cyan"),
    white: tokenColour("--ansi-white"),
    brightBlack: tokenColour("--ansi-bright-black"),
    brightRed: tokenColour("--ansi-bright-red"),
    brightGreen: tokenColour("--ansi-bright-green"),
    brightYellow: tokenColour("--ansi-bright-yellow"),
    brightBlue: tokenColour("--ansi-bright-blue"),
    brightMagenta: tokenColour("--ansi-bright-magenta"),
    brightCyan: tokenColour("--ansi-bright-cyan"),
    brightWhite: tokenColour("--ansi-bright-white"),
  };
}
