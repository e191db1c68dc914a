import type { DirEntry, Listing } from "../../protocol/generated";
import { Observable } from "./observable";
import { ancestors, dirname, isWithin, join, relative } from "./path";

/** A file or directory of the tree; the same object for as long as its directory is not read again. */
export interface TreeNode {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly directory: boolean;
  readonly link: boolean;
}

/** What stands in one line of the tree. */
export type TreeRow =
  | { kind: "node"; node: TreeNode }
  | { kind: "input"; parent: string; depth: number; directory: boolean }
  | { kind: "note"; parent: string; depth: number; text: string; failed: boolean };

interface Directory {
  nodes: TreeNode[];
  byName: Map<string, TreeNode> | undefined;
  state: "loading" | "ready" | "failed";
  error: string | undefined;
  truncated: boolean;
  /** Counts reads, so that an older answer never replaces a newer one. */
  reads: number;
}

/** What is being named in place. */
export type TreeEdit =
  { kind: "create"; parent: string; directory: boolean } | { kind: "rename"; path: string };

/** `first`: only so many entries, the first in order. */
export type ListDirectory = (path: string, first?: number) => Promise<Listing>;

/** More than any screen shows; a folder of many more comes in whole a moment later. */
const FIRST_PAGE = 1000;

const TYPE_AHEAD_MS = 800;
/** What Git and the undo of deletions keep for themselves is no file to work on. */
const HIDDEN: ReadonlySet<string> = new Set([".git", ".aicockpit-trash"]);
/** The folder at the top of an imported container that holds the agent. */
const AGENT = ".aicockpit";

/** The folders a person sees: read when they are opened, kept as one flat list of rows. */
export class FileTree extends Observable {
  private directories = new Map<string, Directory>();
  private open = new Set<string>();
  private flat: TreeRow[] | undefined;
  private typed = "";
  private typedAt = 0;
  private anchor: string | undefined;

  focused: string | undefined;
  readonly selected = new Set<string>();
  edit: TreeEdit | undefined;
  /** Paths cut or copied, to be pasted. */
  clipboard: { paths: string[]; cut: boolean } | undefined;

  readonly root: string;
  private readonly list: ListDirectory;

  constructor(root: string, list: ListDirectory) {
    super();
    this.root = root;
    this.list = list;
  }

  /** Every line, top to bottom. */
  get rows(): readonly TreeRow[] {
    this.flat ??= this.flatten();
    return this.flat;
  }

  /** The row's place, -1 where it is not visible. */
  indexOf(path: string): number {
    // A look through a hundred thousand rows is quicker than a map of them, which every change would make anew.
    return this.rows.findIndex((row) => row.kind === "node" && row.node.path === path);
  }

  node(path: string): TreeNode | undefined {
    const directory = this.directories.get(dirname(path));
    if (!directory) return undefined;
    directory.byName ??= new Map(directory.nodes.map((node) => [node.path, node]));
    return directory.byName.get(path);
  }

  isExpanded(path: string): boolean {
    return this.open.has(path);
  }

  isLoading(path: string): boolean {
    return this.directories.get(path)?.state === "loading";
  }

  get rootState(): { state: "loading" | "ready" | "failed"; error: string | undefined; empty: boolean } {
    const root = this.directories.get(this.root);
    return { state: root?.state ?? "loading", error: root?.error, empty: root?.nodes.length === 0 };
  }

  /** Expanded directories, to be remembered. */
  get expanded(): string[] {
    return [...this.open];
  }

  /** The directories whose entries are on the screen. */
  get visibleDirectories(): string[] {
    return [this.root, ...[...this.open].filter((path) => this.isShown(path))];
  }

  /** Reads the root and the folders that were open before. */
  async load(expanded: readonly string[] = []): Promise<void> {
    this.open = new Set(expanded.filter((path) => path !== this.root && isWithin(this.root, path)));
    await Promise.all([this.root, ...this.open].map((path) => this.read(path)));
  }

  async expand(path: string): Promise<void> {
    if (path !== this.root) this.open.add(path);
    this.touched();
    const state = this.directories.get(path)?.state;
    if (state !== "ready" && state !== "loading") await this.read(path);
    else await this.readMissing();
  }

  collapse(path: string): void {
    this.open.delete(path);
    if (this.focused && this.focused !== path && isWithin(path, this.focused)) this.focusOnly(path);
    this.touched();
  }

  collapseAll(): void {
    this.open.clear();
    this.focused = undefined;
    this.selected.clear();
    this.touched();
  }

  toggle(path: string): Promise<void> {
    if (!this.open.has(path)) return this.expand(path);
    this.collapse(path);
    return Promise.resolve();
  }

  /** Reads again those of `paths` that the tree holds; forgets the closed ones, which are read when opened. */
  async refresh(paths: readonly string[]): Promise<void> {
    const reads: Promise<void>[] = [];
    for (const path of new Set(paths)) {
      if (path === this.root || (this.open.has(path) && this.isShown(path))) reads.push(this.read(path));
      else this.directories.delete(path);
    }
    await Promise.all(reads);
  }

  refreshAll(): Promise<void> {
    return this.refresh([this.root, ...this.directories.keys()]);
  }

  /** Opens the folders down to `path` and puts the focus on it. */
  async reveal(path: string): Promise<void> {
    if (!isWithin(this.root, path) || path === this.root) return;
    for (const directory of ancestors(this.root, path)) await this.expand(directory);
    this.focusOnly(path);
  }

  startEdit(edit: TreeEdit): void {
    this.edit = edit;
    if (edit.kind === "create") void this.expand(edit.parent);
    this.touched();
  }

  endEdit(): void {
    if (!this.edit) return;
    this.edit = undefined;
    this.touched();
  }

  setClipboard(clipboard: FileTree["clipboard"]): void {
    this.clipboard = clipboard;
    this.changed();
  }

  /** A new thing belongs into this directory, by what has the focus. */
  get target(): string {
    if (!this.focused) return this.root;
    return this.node(this.focused)?.directory ? this.focused : dirname(this.focused);
  }

  /** What an action concerns: the selection without what lies within other selected folders. */
  get chosen(): string[] {
    const paths = this.selected.size > 0 ? [...this.selected] : this.focused ? [this.focused] : [];
    return paths.filter((path) => !paths.some((other) => other !== path && isWithin(other, path)));
  }

  focusOnly(path: string): void {
    this.focused = path;
    this.anchor = path;
    this.selected.clear();
    this.selected.add(path);
    this.changed();
  }

  /** Nothing is meant but the folder as a whole. */
  unfocus(): void {
    this.focused = undefined;
    this.selected.clear();
    this.changed();
  }

  /** Adds `path` to the selection or takes it out (Ctrl+click). */
  toggleSelected(path: string): void {
    if (!this.selected.delete(path)) this.selected.add(path);
    this.focused = path;
    this.anchor = path;
    this.changed();
  }

  /** Selects from the anchor to `path` (Shift+click). */
  selectTo(path: string): void {
    const from = this.indexOf(this.anchor ?? path);
    const to = this.indexOf(path);
    if (from < 0 || to < 0) return this.focusOnly(path);
    this.selected.clear();
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
      const row = this.rows[index];
      if (row?.kind === "node") this.selected.add(row.node.path);
    }
    this.focused = path;
    this.changed();
  }

  /** Moves the focus by `delta` rows; with `extend` the selection follows. */
  moveFocus(delta: number, extend = false): void {
    const nodes = this.rows;
    const start = this.focused === undefined ? -1 : this.indexOf(this.focused);
    const step = delta < 0 ? -1 : 1;
    let index = start < 0 ? (delta < 0 ? nodes.length : -1) + step : start + delta;
    index = Math.max(0, Math.min(nodes.length - 1, index));
    while (index >= 0 && index < nodes.length && nodes[index]?.kind !== "node") index += step;
    const row = nodes[index];
    if (row?.kind !== "node") return;
    if (extend) this.selectTo(row.node.path);
    else this.focusOnly(row.node.path);
  }

  selectAll(): void {
    const nodes = this.rows.flatMap((row) => (row.kind === "node" ? [row.node.path] : []));
    this.selected.clear();
    for (const path of nodes) this.selected.add(path);
    this.focused = nodes.at(-1);
    this.anchor = nodes[0];
    this.changed();
  }

  /** The entry that takes the focus when `paths` are gone: the next one below them, else the one above. */
  neighbourOf(paths: readonly string[]): string | undefined {
    const goes = (row: TreeRow | undefined) =>
      row?.kind === "node" && paths.some((path) => isWithin(path, row.node.path));
    const at = paths.map((path) => this.indexOf(path)).filter((index) => index >= 0);
    if (at.length === 0) return undefined;
    const first = Math.min(...at);
    const stays = (row: TreeRow) => row.kind === "node" && !goes(row);
    const below = this.rows.slice(first).find(stays);
    const row = below ?? this.rows.slice(0, first).findLast(stays);
    return row?.kind === "node" ? row.node.path : undefined;
  }

  focusEdge(last: boolean): void {
    this.focused = undefined;
    this.moveFocus(last ? -1 : 1);
  }

  /** Left arrow: closes the folder, or goes to the parent. */
  async left(): Promise<void> {
    const path = this.focused;
    if (!path) return;
    if (this.open.has(path)) this.collapse(path);
    else if (dirname(path) !== this.root && isWithin(this.root, dirname(path))) this.focusOnly(dirname(path));
    return Promise.resolve();
  }

  /** Right arrow: opens the folder, or goes to its first entry. */
  async right(): Promise<void> {
    const node = this.focused === undefined ? undefined : this.node(this.focused);
    if (!node?.directory) return;
    if (!this.open.has(node.path)) return this.expand(node.path);
    if (this.directories.get(node.path)?.nodes.length) this.moveFocus(1);
  }

  /** Goes to the next entry whose name begins with what was typed within the last moments. */
  typeAhead(char: string, nowMs: number): void {
    this.typed = nowMs - this.typedAt > TYPE_AHEAD_MS ? char : this.typed + char;
    this.typedAt = nowMs;
    const wanted = this.typed.toLowerCase();
    const repeated = wanted.length > 1 && [...wanted].every((letter) => letter === wanted[0]);
    const prefix = repeated ? (wanted[0] ?? "") : wanted;
    const rows = this.rows;
    const start = this.focused === undefined ? -1 : this.indexOf(this.focused);
    const from = wanted.length > 1 && !repeated ? Math.max(0, start) : start + 1;
    for (let step = 0; step < rows.length; step += 1) {
      const row = rows[(from + step) % rows.length];
      if (row?.kind === "node" && row.node.name.toLowerCase().startsWith(prefix))
        return this.focusOnly(row.node.path);
    }
  }

  /** Follows a move of `from` to `to` without closing folders. */
  followMove(from: string, to: string): void {
    for (const path of [...this.open]) {
      if (!isWithin(from, path)) continue;
      this.open.delete(path);
      this.open.add(to + path.slice(from.length));
    }
    for (const path of [...this.directories.keys()]) if (isWithin(from, path)) this.directories.delete(path);
    this.touched();
  }

  private isShown(path: string): boolean {
    return ancestors(this.root, path).every((ancestor) => this.open.has(ancestor));
  }

  private async read(path: string): Promise<void> {
    const before = this.directories.get(path);
    const reads = (before?.reads ?? 0) + 1;
    this.directories.set(path, {
      nodes: before?.nodes ?? [],
      byName: before?.byName,
      state: before?.state === "ready" ? "ready" : "loading",
      error: undefined,
      truncated: before?.truncated ?? false,
      reads,
    });
    if (before?.state !== "ready") this.touched();
    const isNewest = () => this.directories.get(path)?.reads === reads;
    const show = ({ entries, truncated }: Listing) =>
      this.directories.set(path, {
        nodes: this.toNodes(path, entries),
        byName: undefined,
        state: "ready",
        error: undefined,
        truncated,
        reads,
      });
    try {
      let listing = await this.list(path, before?.state === "ready" ? undefined : FIRST_PAGE);
      if (!isNewest()) return;
      if (listing.more) {
        show(listing);
        this.touched();
        listing = await this.list(path);
        if (!isNewest()) return;
      }
      show(listing);
      this.dropMissing(path);
    } catch (error) {
      if (!isNewest()) return;
      const text = error instanceof Error ? error.message : String(error);
      this.directories.set(path, {
        nodes: [],
        byName: undefined,
        state: "failed",
        error: text,
        truncated: false,
        reads,
      });
    }
    this.touched();
    await this.readMissing();
  }

  /** Reads open folders that were forgotten while a folder around them was closed. */
  private async readMissing(): Promise<void> {
    const missing = [...this.open].filter(
      (path) => !this.directories.has(path) && this.isShown(path) && this.node(path)?.directory,
    );
    await Promise.all(missing.map((path) => this.read(path)));
  }

  private toNodes(directory: string, entries: readonly DirEntry[]): TreeNode[] {
    const depth = directory === this.root ? 0 : relative(this.root, directory).split("/").length;
    const hidden = directory === "/" ? new Set([...HIDDEN, AGENT]) : HIDDEN;
    const prefix = join(directory, "");
    const shown = entries.filter((entry) => !hidden.has(entry.name));
    return shown.map((entry) => ({
      path: prefix + entry.name,
      name: entry.name,
      depth,
      directory:
        entry.kind === "directory" || (entry.kind === "symlink" && entry.target_kind === "directory"),
      link: entry.kind === "symlink",
    }));
  }

  private dropMissing(directory: string): void {
    for (const path of [...this.selected]) {
      if (dirname(path) === directory && !this.node(path)) this.selected.delete(path);
    }
    if (this.focused && dirname(this.focused) === directory && !this.node(this.focused))
      this.focused = undefined;
    for (const path of [...this.open]) {
      if (dirname(path) === directory && !this.node(path)?.directory) this.open.delete(path);
    }
  }

  private touched(): void {
    this.flat = undefined;
    this.changed();
  }

  private flatten(): TreeRow[] {
    const rows: TreeRow[] = [];
    const walk = (path: string, depth: number): void => {
      const directory = this.directories.get(path);
      if (this.edit?.kind === "create" && this.edit.parent === path) {
        rows.push({ kind: "input", parent: path, depth, directory: this.edit.directory });
      }
      if (!directory) return;
      if (directory.state === "failed" && path !== this.root) {
        rows.push({
          kind: "note",
          parent: path,
          depth,
          text: directory.error ?? "It could not be read.",
          failed: true,
        });
      }
      for (const node of directory.nodes) {
        rows.push({ kind: "node", node });
        if (node.directory && this.open.has(node.path)) walk(node.path, depth + 1);
      }
      if (directory.truncated) {
        rows.push({
          kind: "note",
          parent: path,
          depth,
          text: "Only the first 200,000 entries are shown.",
          failed: false,
        });
      }
    };
    walk(this.root, 0);
    return rows;
  }
}
