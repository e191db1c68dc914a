import {
  type DockviewApi,
  type DockviewGroupPanel,
  type IDockviewPanel,
  type Position,
  type SerializedDockview,
} from "dockview-react";
import { toastError } from "@/components";
import { type TextDocument } from "../model/document";
import { type Documents } from "../model/documents";
import { type LayoutStore } from "../model/layout";
import { Observable } from "../model/observable";
import { basename, isWithin, moved, nameProblem } from "../model/path";
import { DRAGGED_PATHS } from "../explorer/drag";
import { type Questions } from "../session/questions";

export type PaneMode = "file" | "markdown" | "diff";

/** What a tab of the editor shows; kept in the layout. */
export interface PaneParams {
  path: string;
  mode: PaneMode;
  /** A preview: the next file opened takes its place. */
  transient: boolean;
}

export interface Reveal {
  line: number;
  column: number;
  /** Selects up to here, on the same line. */
  endColumn: number | undefined;
}

export interface OpenOptions {
  mode?: PaneMode;
  /** Open to stay, not as a preview. */
  keep?: boolean;
  /** In a group beside the present one. */
  beside?: boolean;
  /** Leave the focus where it is. */
  quiet?: boolean;
  line?: number | undefined;
  column?: number | undefined;
  endColumn?: number | undefined;
}

const CLOSED_KEPT = 30;
const SIDES: Partial<Record<Position, "left" | "right" | "above" | "below">> = {
  left: "left",
  right: "right",
  top: "above",
  bottom: "below",
};

/** What a tab is called where it is read out. */
function titleOf(path: string, mode: PaneMode): string {
  if (mode === "markdown") return `Preview ${basename(path)}`;
  return mode === "diff" ? `${basename(path)} ↔ disk` : basename(path);
}

export function paneOf(panel: IDockviewPanel): PaneParams {
  return panel.params as unknown as PaneParams;
}

/** The editor's tabs and splits. */
export class EditorGroups extends Observable {
  private api: DockviewApi | undefined;
  private waiting: (() => void)[] = [];
  private readonly reveals = new Map<string, Reveal>();
  private closed: PaneParams[] = [];
  private readonly documents: Documents;
  private readonly layout: LayoutStore;
  private readonly questions: Questions;
  private readonly autosaveDelay: () => number;
  private readonly isDirectory: (path: string) => boolean;
  /** The panel that wants the focus as soon as it can take it. */
  private focusWanted: string | undefined;

  constructor(
    documents: Documents,
    layout: LayoutStore,
    questions: Questions,
    autosaveDelay: () => number,
    isDirectory: (path: string) => boolean,
  ) {
    super();
    this.documents = documents;
    this.layout = layout;
    this.questions = questions;
    this.autosaveDelay = autosaveDelay;
    this.isDirectory = isDirectory;
    // An edited file is no preview any more.
    documents.subscribe(() => {
      for (const panel of this.panels) {
        const { path, transient } = paneOf(panel);
        if (transient && documents.get(path)?.dirty === true)
          panel.api.updateParameters({ transient: false });
      }
    });
  }

  /** Takes the library's component over and puts the kept tabs into it. */
  attach(api: DockviewApi): void {
    this.api = api;
    const kept = this.layout.value.editor;
    if (kept !== undefined) {
      try {
        api.fromJSON(kept as SerializedDockview);
      } catch {
        // A layout of another version: better empty than broken.
        api.clear();
      }
    }
    api.onDidLayoutChange(() => this.remember());
    api.onDidActivePanelChange(() => {
      const active = this.activePane;
      if (active) this.layout.noteOpened(active.path);
      this.remember();
      // The tabs that do not fit get their menu first, which takes room of its own.
      requestAnimationFrame(() => this.showActiveTab());
    });
    api.onUnhandledDragOver((event) => {
      if (
        event.nativeEvent instanceof DragEvent &&
        event.nativeEvent.dataTransfer?.types.includes(DRAGGED_PATHS)
      ) {
        event.accept();
      }
    });
    api.onDidRemovePanel((panel) => this.removed(paneOf(panel)));
    for (const open of this.waiting.splice(0)) open();
    this.changed();
  }

  /** Files of the tree were dropped on a group, or at its side. */
  dropped(paths: readonly string[], group: DockviewGroupPanel | undefined, position: Position): void {
    const { api } = this;
    if (!api) return;
    let side = SIDES[position];
    let target = group;
    for (const path of paths.filter((dropped) => !this.isDirectory(dropped))) {
      const place = target && { referenceGroup: target, ...(side ? { direction: side } : {}) };
      const panel = this.add(api, path, "file", place ? { position: place } : {});
      // The first makes the new group, the others join it.
      target = panel.group;
      side = undefined;
      this.focusWanted = panel.id;
      panel.api.setActive();
    }
    this.changed();
  }

  /** Brings the tab in front into view among more tabs than fit. */
  private showActiveTab(): void {
    this.activePanel?.group.element
      .querySelector(".dv-tab.dv-active-tab")
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  private remember(): void {
    if (this.api) this.layout.update({ editor: this.api.toJSON() });
    this.changed();
  }

  get panels(): IDockviewPanel[] {
    return this.api?.panels ?? [];
  }

  get activePanel(): IDockviewPanel | undefined {
    return this.api?.activePanel;
  }

  get activePane(): PaneParams | undefined {
    return this.activePanel && paneOf(this.activePanel);
  }

  get activeDocument(): TextDocument | undefined {
    const pane = this.activePane;
    return pane && this.documents.get(pane.path);
  }

  /** Names that occur more than once among the tabs are told apart by their folders. */
  isAmbiguous(path: string): boolean {
    const name = basename(path);
    return this.panels.some((panel) => paneOf(panel).path !== path && basename(paneOf(panel).path) === name);
  }

  open(path: string, options: OpenOptions = {}): void {
    const { api } = this;
    if (!api) {
      this.waiting.push(() => this.open(path, options));
      return;
    }
    const mode = options.mode ?? "file";
    const panel = this.panelFor(api, path, mode, options);
    if (options.line !== undefined) {
      this.reveals.set(panel.id, {
        line: options.line,
        column: options.column ?? 1,
        endColumn: options.endColumn,
      });
    }
    if (options.keep === true && paneOf(panel).transient) panel.api.updateParameters({ transient: false });
    if (options.quiet !== true) this.focusWanted = panel.id;
    panel.api.setActive();
    this.layout.noteOpened(path);
    this.changed();
  }

  private panelFor(api: DockviewApi, path: string, mode: PaneMode, options: OpenOptions): IDockviewPanel {
    const shows = (panel: IDockviewPanel) => paneOf(panel).path === path && paneOf(panel).mode === mode;
    const group = api.activeGroup;
    if (options.beside === true && group) {
      const neighbour = api.adjacentGroupInDirection(group, "right");
      const known = neighbour?.panels.find(shows);
      if (known) return known;
      return this.add(api, path, mode, {
        position: neighbour
          ? { referenceGroup: neighbour.id }
          : { referenceGroup: group, direction: "right" },
      });
    }
    const known = group?.panels.find(shows);
    if (known) return known;
    const transient = options.keep !== true && mode === "file";
    const preview = transient ? group?.panels.find((panel) => paneOf(panel).transient) : undefined;
    if (preview) {
      const before = paneOf(preview);
      preview.api.updateParameters({ path, mode, transient: true } satisfies PaneParams);
      preview.api.setTitle(titleOf(path, mode));
      this.removed(before);
      return preview;
    }
    return this.add(api, path, mode, { transient });
  }

  private add(
    api: DockviewApi,
    path: string,
    mode: PaneMode,
    options: { transient?: boolean; position?: object } = {},
  ): IDockviewPanel {
    return api.addPanel({
      id: crypto.randomUUID(),
      component: mode,
      title: titleOf(path, mode),
      params: { path, mode, transient: options.transient === true } satisfies PaneParams,
      ...(options.position ? { position: options.position as { referenceGroup: string } } : {}),
    });
  }

  /** Makes sure that a file with unsaved text has a tab, without coming to the front. */
  openRestored(path: string): void {
    const { api } = this;
    if (!api) this.waiting.push(() => this.openRestored(path));
    else if (!this.panels.some((panel) => paneOf(panel).path === path && paneOf(panel).mode === "file")) {
      const first = this.panels.length === 0;
      api.addPanel({
        id: crypto.randomUUID(),
        component: "file",
        title: basename(path),
        params: { path, mode: "file", transient: false } satisfies PaneParams,
        inactive: !first,
      });
    }
  }

  openUntitled(): void {
    this.open(this.documents.newUntitled().path, { keep: true });
  }

  /** Where the editor in `panel` should go to, once. */
  takeReveal(panel: string): Reveal | undefined {
    const reveal = this.reveals.get(panel);
    this.reveals.delete(panel);
    return reveal;
  }

  /** Whether the editor in `panel` should take the focus, once. */
  takeFocus(panel: string): boolean {
    if (this.focusWanted !== panel) return false;
    this.focusWanted = undefined;
    return true;
  }

  focus(): void {
    this.focusWanted = this.activePanel?.id;
    this.changed();
  }

  keep(panel: IDockviewPanel): void {
    if (paneOf(panel).transient) panel.api.updateParameters({ transient: false });
    this.remember();
  }

  split(direction: "right" | "below"): void {
    const panel = this.activePanel;
    if (!this.api || !panel) return;
    const { path, mode } = paneOf(panel);
    const added = this.add(this.api, path, mode, { position: { referenceGroup: panel.group, direction } });
    this.focusWanted = added.id;
    added.api.setActive();
  }

  /** Goes to the next or the previous tab of the group. */
  step(by: number): void {
    const panel = this.activePanel;
    if (!panel) return;
    const { panels } = panel.group;
    const next = panels[(panels.indexOf(panel) + by + panels.length) % panels.length];
    if (!next) return;
    this.focusWanted = next.id;
    next.api.setActive();
  }

  /** Goes to the group by its number, from 0. */
  focusGroup(index: number): void {
    const panel = this.api?.groups[index]?.activePanel;
    if (!panel) return;
    this.focusWanted = panel.id;
    panel.api.setActive();
    this.changed();
  }

  /** Closes a tab; asks where unsaved text would be lost. False where the person turned away. */
  async close(panel: IDockviewPanel): Promise<boolean> {
    const pane = paneOf(panel);
    const document = this.documents.get(pane.path);
    const elsewhere = this.panels.some(
      (other) => other !== panel && paneOf(other).path === pane.path && paneOf(other).mode === "file",
    );
    if (pane.mode === "file" && document && !elsewhere && !(await this.settle(document))) return false;
    if (!pane.path.startsWith("untitled:")) this.closed = [...this.closed, pane].slice(-CLOSED_KEPT);
    this.api?.removePanel(panel);
    const next = this.activePanel;
    if (next) this.focusWanted = next.id;
    this.changed();
    return true;
  }

  async closeAll(panels: readonly IDockviewPanel[]): Promise<void> {
    for (const panel of [...panels]) if (!(await this.close(panel))) return;
  }

  reopenClosed(): void {
    const pane = this.closed.pop();
    if (pane) this.open(pane.path, { mode: pane.mode, keep: true });
  }

  get canReopen(): boolean {
    return this.closed.length > 0;
  }

  /** Sees to it that a document can be let go of; false where the person wants to keep it open. */
  private async settle(document: TextDocument): Promise<boolean> {
    if (!document.dirty) return true;
    if (this.autosaveDelay() > 0 && !document.untitled && !document.conflict && (await document.save()))
      return true;
    const answer = await this.questions.ask(
      `Save the changes to ${document.name}?`,
      "They are lost if you do not save them.",
      [
        { label: "Don’t save", value: "discard" },
        { label: "Save", value: "save", kind: "primary" },
      ] as const,
    );
    if (answer === undefined) return false;
    if (answer === "save") return this.save(document);
    await document.discard();
    return true;
  }

  /** Saves; asks for a path where the text has none. True once it is written. */
  async save(document: TextDocument): Promise<boolean> {
    if (!document.untitled) {
      const saved = await document.save();
      if (!saved && document.conflict) this.open(document.path, { keep: true });
      return saved;
    }
    return this.saveAs(document);
  }

  async saveAs(document: TextDocument): Promise<boolean> {
    const folder = this.documents.root;
    const initial = document.untitled ? `${folder}/` : document.path;
    const path = await this.questions.askText({
      title: `Save ${document.name} as`,
      label: "Path",
      initial,
      action: "Save",
      problem: (text) =>
        !text.startsWith("/")
          ? "Type the whole path, from /."
          : text.endsWith("/")
            ? "Add the file’s name."
            : nameProblem(basename(text)),
    });
    if (path === undefined) return false;
    const before = document.path;
    try {
      await this.write(document, path);
    } catch (error) {
      toastError(error);
      return false;
    }
    this.documents.rekey(before, document);
    this.follow(before, path);
    return true;
  }

  private async write(document: TextDocument, path: string): Promise<void> {
    try {
      await document.saveAs(path, false);
    } catch (error) {
      const exists = (error as { code?: string }).code;
      if (exists !== "conflict" && exists !== "already_exists") throw error;
      const replace = await this.questions.ask(`Replace ${basename(path)}?`, "What it holds now is lost.", [
        { label: "Replace", value: true, kind: "danger" },
      ]);
      if (replace === true) await document.saveAs(path, true);
      else throw error;
    }
  }

  /** Tabs follow a renamed or moved file or folder. */
  follow(from: string, to: string): void {
    for (const panel of this.panels) {
      const { path, mode } = paneOf(panel);
      if (!isWithin(from, path)) continue;
      const next = moved(path, from, to);
      panel.api.updateParameters({ path: next });
      panel.api.setTitle(titleOf(next, mode));
    }
    this.layout.followMove(from, to);
    this.remember();
  }

  /** Closes the tabs of deleted files that hold nothing unsaved. */
  dropDeleted(paths: readonly string[]): void {
    const { recent } = this.layout.value;
    const kept = recent.filter((path) => !paths.some((deleted) => isWithin(deleted, path)));
    if (kept.length < recent.length) this.layout.update({ recent: kept });
    for (const panel of [...this.panels]) {
      const { path } = paneOf(panel);
      if (!paths.some((deleted) => isWithin(deleted, path)) || this.documents.get(path)?.dirty === true)
        continue;
      this.api?.removePanel(panel);
    }
  }

  private removed(pane: PaneParams): void {
    if (this.panels.some((panel) => paneOf(panel).path === pane.path)) return;
    const document = this.documents.get(pane.path);
    if (document && !document.dirty) this.documents.release(document);
    this.remember();
  }
}
