import { type Client } from "@/client";
import { toastError } from "@/components";
import { type Event, type Settings, type WorkspaceInside } from "@/protocol/generated";
import { Cursor } from "../editor/cursor";
import { EditorGroups } from "../editor/groups";
import { loadMonaco } from "../editor/load";
import { type CreateBuffer } from "../model/document";
import { Documents } from "../model/documents";
import { LayoutStore, type Layout, type SideView } from "../model/layout";
import { isWithin, resolve } from "../model/path";
import { TextSearch } from "../model/search";
import { Terminals, type TerminalSession } from "../model/terminals";
import { FileTree } from "../model/tree";
import { BottomPanel } from "../panels/bottom";
import { Screens } from "../terminal/screens";
import { GitWatch } from "./git";
import { WorkspaceHost } from "./host";
import { Overlays } from "./overlays";
import { Questions } from "./questions";
import { Transfers } from "./transfers";
import { FileUndo } from "./undo";

export function layoutKey(workspace: string): string {
  return `workspace/${workspace}/cockpit`;
}

/** Everything that one open workspace holds on this page. Lives as long as its tab. */
export class CockpitSession {
  readonly client: Client;
  readonly workspace: string;
  readonly host: WorkspaceHost;
  readonly inside: WorkspaceInside;
  readonly layout: LayoutStore;
  readonly tree: FileTree;
  readonly documents: Documents;
  readonly groups: EditorGroups;
  readonly terminals: Terminals;
  readonly screens: Screens;
  readonly bottom: BottomPanel;
  readonly search: TextSearch;
  readonly git: GitWatch;
  readonly questions = new Questions();
  readonly transfers = new Transfers();
  readonly fileUndo = new FileUndo();
  readonly cursor = new Cursor();
  readonly overlays = new Overlays();

  private settings: Settings | undefined;
  private watched = "";
  private sideFocusWanted = false;
  private stops: (() => void)[] = [];
  /** There were terminals as the connection was lost. */
  private hadTerminals = false;
  private disposed = false;

  constructor(client: Client, workspace: string, inside: WorkspaceInside, layout: Layout) {
    this.client = client;
    this.workspace = workspace;
    this.inside = inside;
    this.host = new WorkspaceHost(client, workspace);
    this.layout = new LayoutStore(layout, (value) =>
      client.call("state.put", { key: layoutKey(workspace), value }),
    );
    this.tree = new FileTree(inside.folder, (path, first) =>
      this.host.call("fs.list", first === undefined ? { path } : { path, first }),
    );
    this.documents = new Documents(inside.folder, this.host.documentFiles, this.documentOptions());
    this.groups = new EditorGroups(
      this.documents,
      this.layout,
      this.questions,
      () => this.autosaveDelay(),
      (path) => this.tree.node(path)?.directory === true,
    );
    this.terminals = new Terminals(this.host.terminalHost);
    this.bottom = new BottomPanel(this.terminals, this.layout);
    this.screens = new Screens(this.terminals, {
      openAddress: (address) => void this.openAddress(address),
      openPath: {
        exists: (path) => this.fileExists(path),
        open: (path, line, column) => void this.openFromTerminal(path, line, column),
      },
    });
    this.search = new TextSearch(inside.folder, this.host.searchHost);
    this.search.setQuery(layout.query);
    this.git = new GitWatch(() => this.host.call("git.status", { path: inside.folder }));
    this.stops.push(
      client.onEvent((event) => this.onEvent(event)),
      this.tree.subscribe(() => this.treeChanged()),
      this.documents.subscribe(() => this.watch()),
    );
  }

  /** Reads what the screen shows first; drafts and colours follow. */
  async start(): Promise<void> {
    const { expanded, focused } = this.layout.value;
    const tree = this.tree.load(expanded).then(() => {
      if (focused !== undefined && this.tree.node(focused)) this.tree.focusOnly(focused);
    });
    await Promise.all([tree, this.startTerminals(), this.restoreDrafts()]);
    void this.git.refresh();
  }

  private async startTerminals(): Promise<void> {
    await this.terminals.load();
    this.bottom.reconcile();
    await this.promptWhereNone();
  }

  /** A workspace without any terminal, new or started again, gets one where terminals are in view. */
  private async promptWhereNone(): Promise<void> {
    if (this.terminals.all.length > 0 || !this.layout.value.panel.visible || this.disposed) return;
    const session = await this.terminals.create(this.screens.likelySize());
    this.bottom.show(session.id);
  }

  private async restoreDrafts(): Promise<void> {
    for (const path of await this.documents.draftPaths()) {
      this.documents.acquire(path);
      this.groups.openRestored(path);
    }
  }

  /** Starts a terminal and shows it: beside the panel `beside`, or in place of the panel `replace`. */
  async newTerminal(
    options: {
      command?: string[];
      directory?: string;
      beside?: string | undefined;
      replace?: string;
      asRoot?: boolean;
    } = {},
  ): Promise<void> {
    const { beside, replace, ...create } = options;
    const session = await this.terminals.create({ ...create, ...this.screens.likelySize() });
    this.layout.update({ panel: { ...this.layout.value.panel, visible: true } });
    if (replace !== undefined) this.bottom.replaceWith(replace, session.id);
    this.bottom.show(session.id, beside);
  }

  async renameTerminal(terminal: TerminalSession): Promise<void> {
    const name = await this.questions.askText({
      title: "Rename terminal",
      label: "Name; empty for the title that its program sets",
      initial: terminal.info.name ?? "",
      action: "Rename",
      problem: (text) => (text.length > 64 ? "A name holds at most 64 characters." : undefined),
    });
    if (name === undefined) return;
    await this.terminals.rename(terminal.id, name.trim()).catch(toastError);
    this.bottom.show(terminal.id);
  }

  /** Ends a terminal; asks where a program runs in it. */
  async closeTerminal(terminal: TerminalSession): Promise<void> {
    if (terminal.info.busy && !terminal.info.exit) {
      const answer = await this.questions.ask(
        `Close ${terminal.title}?`,
        "A program is running in it. It is ended, and its screen is gone.",
        [{ label: "Close terminal", value: true, kind: "danger" }],
      );
      if (answer !== true) return;
    }
    await this.terminals.close(terminal.id).catch(toastError);
    this.bottom.reconcile();
  }

  /** Shows a view of the side bar; `toggle` hides it where it is shown already. */
  showSide(view: SideView, toggle = false): void {
    const { sideBar } = this.layout.value;
    const visible = !(toggle && sideBar.visible && sideBar.view === view);
    this.layout.update({ sideBar: { ...sideBar, view, visible } });
    if (visible) this.sideFocusWanted = true;
  }

  /** Whether the side bar should take the focus, once. */
  takeSideFocus(): boolean {
    const wanted = this.sideFocusWanted;
    this.sideFocusWanted = false;
    return wanted;
  }

  quickOpen(text = ""): void {
    this.overlays.show("files", text);
  }

  chooseLanguage(): void {
    this.overlays.show("language");
  }

  /** Rises each time the search field should take the focus. */
  searchRequest = 0;
  private searchText: string | undefined;

  /** Opens the search, for `text` where that is given. */
  openSearch(text: string | undefined, folder?: string): void {
    this.searchText = text;
    this.searchRequest += 1;
    if (folder !== undefined) this.search.setQuery({ include: folder });
    this.showSide("search");
  }

  takeSearchText(): string | undefined {
    const text = this.searchText;
    this.searchText = undefined;
    return text;
  }

  togglePanel(visible = !this.layout.value.panel.visible): void {
    this.layout.update({ panel: { ...this.layout.value.panel, visible, maximised: false } });
    if (visible) this.bottom.focus();
    else this.groups.focus();
  }

  applySettings(settings: Settings): void {
    this.settings = settings;
    this.screens.setFontSize(settings.terminal_font_size);
  }

  autosaveDelay(): number {
    return this.settings?.autosave_delay_ms ?? 0;
  }

  private documentOptions() {
    let create: CreateBuffer | undefined;
    return {
      autosaveDelayMs: () => this.autosaveDelay(),
      prepare: async () => {
        const { bufferFactory } = await loadMonaco();
        create ??= bufferFactory(() => this.settings?.tab_size ?? 4);
      },
      createBuffer: ((path, text, eol, plain) => {
        if (!create) throw new Error("prepare() comes before createBuffer()");
        return create(path, text, eol, plain);
      }) satisfies CreateBuffer,
    };
  }

  private onEvent(event: Event): void {
    if (event.kind === "resync") void this.resume();
    if (!("workspace" in event) || event.workspace !== this.workspace) return;
    if (event.kind === "files") {
      const { directories, rescan } = event.changes;
      void (rescan ? this.tree.refreshAll() : this.tree.refresh(directories));
      void this.documents.filesChanged(rescan ? undefined : directories);
      this.git.touch();
    } else if (event.kind === "terminals") {
      this.terminals.apply(event.terminals);
      this.bottom.reconcile();
    } else if (event.kind === "link") {
      if (event.link.kind === "connected") {
        void this.resume();
        return;
      }
      this.hadTerminals ||= this.terminals.all.length > 0;
      if (event.link.kind === "reconnecting" || event.link.kind === "failed") this.terminals.disconnected();
    }
  }

  /** After a break: everything shown is read again, and what was typed meanwhile is kept. */
  async resume(): Promise<void> {
    if (this.disposed) return;
    this.watched = "";
    this.watch();
    // A new agent may have told that it has none before this.
    const before = this.hadTerminals || this.terminals.all.length > 0;
    this.hadTerminals = false;
    await Promise.allSettled([
      this.terminals.load().then(() => {
        this.bottom.reconcile();
        this.terminals.connected();
        // They ended with the container; nobody closed them.
        if (before) return this.promptWhereNone();
      }),
      this.tree.refreshAll(),
      this.documents.filesChanged(undefined).then(() => this.documents.retry()),
      this.git.refresh(),
    ]);
  }

  /** The connection of this page to the host broke. */
  disconnected(): void {
    this.terminals.disconnected();
  }

  private treeChanged(): void {
    this.watch();
    const { expanded, focused } = this.tree;
    const before = this.layout.value;
    if (focused !== before.focused || expanded.join("\n") !== before.expanded.join("\n")) {
      this.layout.update({ expanded, focused });
    }
  }

  /** Watches what is in view: the tree's open folders and the folders of open files. */
  private watch(): void {
    const paths = [...new Set([...this.tree.visibleDirectories, ...this.documents.directories])].sort();
    const key = paths.join("\n");
    if (key === this.watched || this.disposed) return;
    this.watched = key;
    this.host.call("fs.watch", { paths }).catch(() => {
      // Said again with the next change, at the latest after the connection is back.
      if (this.watched === key) this.watched = "";
    });
  }

  private readonly known = new Map<string, Promise<boolean>>();

  private resolvePath(path: string): string[] {
    if (path.startsWith("~")) return [this.inside.home + path.slice(1)];
    const directory = this.bottom.activeTerminal?.info.directory;
    const bases = [...new Set([directory ?? this.inside.folder, this.inside.folder])];
    return path.startsWith("/") ? [path] : bases.map((base) => resolve(base, path));
  }

  private async fileExists(path: string): Promise<boolean> {
    for (const candidate of this.resolvePath(path)) {
      let known = this.known.get(candidate);
      if (!known) {
        known = this.host.call("fs.stat", { path: candidate }).then(
          (stat) => (stat.target_kind ?? stat.kind) === "file",
          () => false,
        );
        this.known.set(candidate, known);
        // Files come and go: an answer serves while the pointer moves over the line.
        setTimeout(() => this.known.delete(candidate), 5_000);
      }
      if (await known) return true;
    }
    return false;
  }

  private async openFromTerminal(
    path: string,
    line: number | undefined,
    column: number | undefined,
  ): Promise<void> {
    for (const candidate of this.resolvePath(path)) {
      const stat = await this.host.call("fs.stat", { path: candidate }).catch(() => undefined);
      if (!stat) continue;
      this.groups.open(candidate, { keep: true, line, column });
      if (isWithin(this.inside.folder, candidate)) void this.tree.reveal(candidate);
      return;
    }
  }

  /** Opens an address from a terminal; one of the workspace's own ports through its forward. */
  private async openAddress(address: string): Promise<void> {
    let url: URL;
    try {
      url = new URL(address);
    } catch {
      return;
    }
    if (url.protocol === "file:")
      return this.openFromTerminal(decodeURIComponent(url.pathname), undefined, undefined);
    if (url.protocol !== "http:" && url.protocol !== "https:") return;
    if (/^(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/.test(url.hostname)) {
      const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
      const forward = await this.host
        .call("port.forward", { host: "localhost", port })
        .catch(() => undefined);
      if (forward) url = new URL(url.pathname + url.search + url.hash, forward.url);
    }
    window.open(url, "_blank", "noopener,noreferrer");
  }

  dispose(): void {
    this.disposed = true;
    for (const stop of this.stops) stop();
    this.layout.flush();
    void this.documents.flushDrafts().then(() => this.documents.dispose());
    this.search.dispose();
    this.git.dispose();
    this.screens.dispose();
    this.terminals.dispose();
  }
}
