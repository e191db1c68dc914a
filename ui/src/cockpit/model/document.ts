import type { Draft, FileStat, WriteCondition } from "../../protocol/generated";
import { decode, encode, looksBinary, type Eol } from "./encoding";
import { Observable } from "./observable";
import { basename, extension } from "./path";

/** The text of an open document; Monaco's model in the editor, a plain string in tests. */
export interface TextBuffer {
  getText(): string;
  /** Replaces the text by the smallest edit, so that cursors and folds stay. */
  setText(text: string): void;
  /** The same number for the same text after undo. */
  revision(): number;
  setEol(eol: Eol): void;
  onChange(listener: () => void): void;
  setPath(path: string): void;
  dispose(): void;
}

export type CreateBuffer = (path: string, text: string, eol: Eol, plain: boolean) => TextBuffer;

export interface DocumentOptions {
  /** Resolves once `createBuffer` can be called. */
  prepare: () => Promise<void>;
  createBuffer: CreateBuffer;
  /** Milliseconds after the last change until a document saves itself; 0 for never. */
  autosaveDelayMs: () => number;
}

/** What documents ask of the workspace. */
export interface DocumentFiles {
  stat(path: string): Promise<FileStat>;
  /** All of a file, read by ranges; `progress` gets the share read, 0 to 1. */
  read(
    path: string,
    progress?: (share: number) => void,
  ): Promise<{ stat: FileStat; bytes: Uint8Array<ArrayBuffer> }>;
  write(path: string, condition: WriteCondition, bytes: Uint8Array<ArrayBuffer>): Promise<FileStat>;
  putDraft(draft: Draft, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  listDrafts(): Promise<Draft[]>;
  getDraft(path: string): Promise<{ draft: Draft; bytes: Uint8Array<ArrayBuffer> }>;
  deleteDraft(path: string): Promise<void>;
}

/** Files from this size on are shown without colours, folding and word suggestions. */
export const PLAIN_FROM = 5 * 1024 * 1024;
/** Larger files are shown read-only: an unsaved text of theirs would not fit into one draft. */
export const EDITABLE_TO = 15 * 1024 * 1024;
/** Larger files are not opened. */
export const OPEN_TO = 100 * 1024 * 1024;

export const DRAFT_DELAY_MS = 250;
const RETRY_DELAY_MS = 2000;

export type DocumentContent =
  | { kind: "loading"; share: number }
  | { kind: "text" }
  | { kind: "image"; url: string; size: number }
  | { kind: "binary"; size: number }
  | { kind: "too_large"; size: number }
  | { kind: "failed"; message: string; missing: boolean };

/** The file differs from what the unsaved text began with. */
export type Conflict = { kind: "changed" } | { kind: "deleted" };

export type ReadOnlyReason = "invalid_utf8" | "utf16" | "permission" | "large";

const IMAGES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  bmp: "image/bmp",
  ico: "image/x-icon",
};

/** One open file, or a text that has no file yet. */
export class TextDocument extends Observable {
  content: DocumentContent = { kind: "loading", share: 0 };
  buffer: TextBuffer | undefined;
  stat: FileStat | undefined;
  conflict: Conflict | undefined;
  readOnly: ReadOnlyReason | undefined;
  saving = false;
  saveError: string | undefined;
  bom = false;
  eol: Eol = "lf";
  mixedEol = false;

  private savedRevision: number | undefined;
  private forcedDirty = false;
  private wasDirty = false;
  private draftTimer: ReturnType<typeof setTimeout> | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private draftRevision: number | undefined;
  private draftWork: Promise<void> = Promise.resolve();
  private hasDraft = false;
  private saveWork: Promise<boolean> | undefined;
  private checkAgain = false;
  /** A save was asked for while the workspace was out of reach. */
  private owed = false;
  private disposed = false;

  path: string;
  private readonly files: DocumentFiles;
  private readonly options: DocumentOptions;

  constructor(path: string, files: DocumentFiles, options: DocumentOptions) {
    super();
    this.path = path;
    this.files = files;
    this.options = options;
  }

  get untitled(): boolean {
    return this.path.startsWith("untitled:");
  }

  get name(): string {
    return this.untitled ? `Untitled-${this.path.slice("untitled:".length)}` : basename(this.path);
  }

  get dirty(): boolean {
    return this.buffer !== undefined && (this.forcedDirty || this.buffer.revision() !== this.savedRevision);
  }

  /** Reads the file, then puts an unsaved text that was kept over it. */
  async load(draft?: Draft): Promise<void> {
    await this.options.prepare();
    if (this.disposed) return;
    if (this.untitled) this.startText("", false);
    else await this.loadFile(draft !== undefined);
    if (draft) await this.applyDraft(draft);
    this.changed();
  }

  private async loadFile(hasDraft: boolean): Promise<void> {
    try {
      const stat = await this.files.stat(this.path);
      this.stat = stat;
      const kind = stat.kind === "symlink" ? stat.target_kind : stat.kind;
      if (kind === "directory") return this.fail("This is a folder.", false);
      if (kind !== "file")
        return this.fail("This is a device, socket or pipe; only files can be opened.", false);
      if (stat.size > OPEN_TO) {
        this.content = { kind: "too_large", size: stat.size };
        return;
      }
      const { stat: read, bytes } = await this.files.read(this.path, (share) => {
        this.content = { kind: "loading", share };
        this.changed();
      });
      if (this.disposed) return;
      this.stat = read;
      this.show(bytes);
    } catch (error) {
      const missing = isCode(error, "not_found");
      if (missing && hasDraft) {
        this.startText("", false);
        this.conflict = { kind: "deleted" };
      } else this.fail(message(error), missing);
    }
  }

  private show(bytes: Uint8Array<ArrayBuffer>): void {
    const image = IMAGES[extension(this.path)];
    if (image) {
      if (this.content.kind === "image") URL.revokeObjectURL(this.content.url);
      this.content = {
        kind: "image",
        url: URL.createObjectURL(new Blob([bytes], { type: image })),
        size: bytes.length,
      };
    } else if (looksBinary(bytes)) {
      this.content = { kind: "binary", size: bytes.length };
    } else {
      const decoded = decode(bytes);
      this.bom = decoded.bom;
      this.eol = decoded.eol;
      this.mixedEol = decoded.mixedEol;
      this.readOnly =
        decoded.readOnly ??
        (bytes.length > EDITABLE_TO ? "large" : this.stat && !this.stat.writable ? "permission" : undefined);
      this.startText(decoded.text, bytes.length > PLAIN_FROM);
    }
  }

  private startText(text: string, plain: boolean): void {
    if (this.buffer) {
      this.buffer.setEol(this.eol);
      this.buffer.setText(text);
    } else {
      this.buffer = this.options.createBuffer(this.path, text, this.eol, plain);
      this.buffer.onChange(() => this.edited());
    }
    this.content = { kind: "text" };
    this.savedRevision = this.buffer.revision();
    this.forcedDirty = false;
    this.wasDirty = false;
  }

  failToLoad(error: unknown): void {
    this.fail(message(error), false);
    this.changed();
  }

  private fail(text: string, missing: boolean): void {
    this.content = { kind: "failed", message: text, missing };
  }

  private async applyDraft(draft: Draft): Promise<void> {
    const { bytes } = await this.files.getDraft(draft.path);
    if (!this.buffer || this.disposed) return;
    this.hasDraft = true;
    const decoded = decode(bytes);
    this.bom = decoded.bom;
    if (decoded.text === this.buffer.getText()) {
      await this.forgetDraft();
      return;
    }
    this.buffer.setText(decoded.text);
    this.draftRevision = this.buffer.revision();
    this.forcedDirty = this.untitled || this.conflict !== undefined;
    if (draft.base_version !== undefined && this.stat && draft.base_version !== this.stat.version) {
      this.conflict = { kind: "changed" };
    }
    this.wasDirty = true;
  }

  private edited(): void {
    this.saveError = undefined;
    if (this.dirty !== this.wasDirty) {
      this.wasDirty = this.dirty;
      this.changed();
    }
    if (this.draftTimer === undefined)
      this.draftTimer = setTimeout(() => void this.flushDraft(), DRAFT_DELAY_MS);
    const delay = this.options.autosaveDelayMs();
    clearTimeout(this.saveTimer);
    this.saveTimer = delay > 0 && !this.untitled ? setTimeout(() => void this.autosave(), delay) : undefined;
  }

  /** Saves where that asks nothing of the person. */
  async autosave(): Promise<void> {
    if (
      this.options.autosaveDelayMs() > 0 &&
      this.dirty &&
      !this.untitled &&
      !this.conflict &&
      !this.disposed
    )
      await this.save();
  }

  /** Keeps the unsaved text now; resolves once it is on disk or was found to be no longer needed. */
  flushDraft(): Promise<void> {
    clearTimeout(this.draftTimer);
    this.draftTimer = undefined;
    this.draftWork = this.draftWork.then(() => this.keepDraft());
    return this.draftWork;
  }

  private async keepDraft(): Promise<void> {
    const buffer = this.buffer;
    if (!buffer || this.disposed) return;
    if (!this.dirty) return this.forgetDraft();
    const revision = buffer.revision();
    if (this.hasDraft && revision === this.draftRevision) return;
    const base = this.stat?.version;
    try {
      const draft: Draft = base === undefined ? { path: this.path } : { path: this.path, base_version: base };
      await this.files.putDraft(draft, encode(buffer.getText(), this.bom));
      this.hasDraft = true;
      this.draftRevision = revision;
    } catch {
      // The connection is away or the disk is full: the text stays in memory, and is kept as soon as it can be.
      if (!this.disposed) this.draftTimer ??= setTimeout(() => void this.flushDraft(), RETRY_DELAY_MS);
    }
  }

  private async forgetDraft(): Promise<void> {
    if (!this.hasDraft) return;
    try {
      await this.files.deleteDraft(this.path);
      this.hasDraft = false;
      this.draftRevision = undefined;
    } catch {
      if (!this.disposed) this.draftTimer ??= setTimeout(() => void this.flushDraft(), RETRY_DELAY_MS);
    }
  }

  /** Writes the text; false where it was refused, which the document then shows. */
  save(overwrite = false): Promise<boolean> {
    if (this.saveWork) return this.saveWork.then(() => this.save(overwrite));
    this.saveWork = this.writeText(overwrite).finally(() => {
      this.saveWork = undefined;
      if (this.checkAgain) void this.checkDisk();
    });
    return this.saveWork;
  }

  private async writeText(overwrite: boolean): Promise<boolean> {
    const buffer = this.buffer;
    if (!buffer || this.untitled || (this.readOnly && this.readOnly !== "permission")) return false;
    if (!this.dirty && !overwrite) return true;
    if (this.conflict && !overwrite) return false;
    const revision = buffer.revision();
    const base = this.stat?.version;
    const condition: WriteCondition = overwrite
      ? { kind: "any" }
      : base === undefined
        ? { kind: "missing" }
        : { kind: "version", version: base };
    this.saving = true;
    this.changed();
    try {
      this.stat = await this.files.write(this.path, condition, encode(buffer.getText(), this.bom));
      this.savedRevision = revision;
      this.forcedDirty = false;
      this.conflict = undefined;
      this.saveError = undefined;
      this.owed = false;
      this.wasDirty = this.dirty;
      // What was typed meanwhile now begins from another version.
      this.draftRevision = undefined;
      await this.flushDraft();
      return true;
    } catch (error) {
      if (isCode(error, "conflict") || isCode(error, "already_exists")) await this.noteConflict();
      else if (isCode(error, "not_found")) this.conflict = { kind: "deleted" };
      else if (isAway(error)) this.owed = true;
      else this.saveError = message(error);
      return false;
    } finally {
      this.saving = false;
      this.changed();
    }
  }

  /** The workspace is back: writes what could not be written meanwhile. */
  async saveOwed(): Promise<void> {
    if (this.owed && !this.conflict && !this.disposed) await this.save();
  }

  private async noteConflict(): Promise<void> {
    try {
      await this.files.stat(this.path);
      this.conflict = { kind: "changed" };
    } catch (error) {
      this.conflict = isCode(error, "not_found") ? { kind: "deleted" } : { kind: "changed" };
    }
  }

  /** Looks whether the file changed; takes the new content over where nothing unsaved is lost by it. */
  async checkDisk(): Promise<void> {
    if (this.untitled || this.disposed || this.content.kind === "loading") return;
    if (this.saveWork) {
      this.checkAgain = true;
      return;
    }
    this.checkAgain = false;
    let stat: FileStat;
    try {
      stat = await this.files.stat(this.path);
    } catch (error) {
      if (isCode(error, "not_found") && !this.saveWork) this.noteDeleted();
      return;
    }
    if (this.saveWork) {
      this.checkAgain = true;
      return;
    }
    if (this.stat?.version === stat.version) {
      if (this.conflict?.kind === "deleted") this.conflict = undefined;
      if (this.stat.writable !== stat.writable) this.setWritable(stat);
      return this.changed();
    }
    if (this.dirty) {
      this.conflict = { kind: "changed" };
      this.changed();
    } else await this.reload();
  }

  private noteDeleted(): void {
    if (this.content.kind === "text" && this.stat) this.conflict = { kind: "deleted" };
    else if (this.content.kind !== "text") this.fail("The file was deleted.", true);
    this.changed();
  }

  private setWritable(stat: FileStat): void {
    this.stat = stat;
    if (this.readOnly === "permission" && stat.writable) this.readOnly = undefined;
    else if (!this.readOnly && !stat.writable) this.readOnly = "permission";
  }

  /** Takes the file's content; the unsaved text is given up (undo brings it back). */
  async reload(): Promise<void> {
    try {
      const { stat, bytes } = await this.files.read(this.path);
      if (this.disposed) return;
      this.stat = stat;
      this.conflict = undefined;
      this.saveError = undefined;
      this.show(bytes);
      await this.flushDraft();
    } catch (error) {
      if (isCode(error, "not_found")) this.noteDeleted();
      else if (this.content.kind === "text") this.saveError = message(error);
      else this.fail(message(error), false);
    }
    this.changed();
  }

  /** The file's content at this moment, to compare with. */
  async diskText(): Promise<string> {
    const { bytes } = await this.files.read(this.path);
    return decode(bytes).text;
  }

  /** Gives up the unsaved text. */
  async discard(): Promise<void> {
    clearTimeout(this.draftTimer);
    this.draftTimer = undefined;
    await this.draftWork;
    await this.forgetDraft();
    this.forcedDirty = false;
    this.savedRevision = this.buffer?.revision();
    this.wasDirty = false;
    this.changed();
  }

  /** Gives the text another home: after a rename, or when an untitled text gets its file. */
  async moveTo(path: string, stat?: FileStat): Promise<void> {
    await this.draftWork;
    if (this.hasDraft) await this.forgetDraft();
    this.path = path;
    this.buffer?.setPath(path);
    if (stat) this.stat = stat;
    if (this.dirty) void this.flushDraft();
    this.changed();
  }

  /** Writes an untitled text to its first file. */
  async saveAs(path: string, overwrite: boolean): Promise<void> {
    if (!this.buffer) return;
    const revision = this.buffer.revision();
    const condition: WriteCondition = overwrite ? { kind: "any" } : { kind: "missing" };
    const stat = await this.files.write(path, condition, encode(this.buffer.getText(), this.bom));
    this.savedRevision = revision;
    this.forcedDirty = false;
    this.conflict = undefined;
    this.wasDirty = this.dirty;
    await this.moveTo(path, stat);
  }

  setEol(eol: Eol): void {
    if (!this.buffer || this.eol === eol) return;
    this.eol = eol;
    this.mixedEol = false;
    this.buffer.setEol(eol);
    this.changed();
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.draftTimer);
    clearTimeout(this.saveTimer);
    if (this.content.kind === "image") URL.revokeObjectURL(this.content.url);
    this.buffer?.dispose();
  }
}

function isCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}

const AWAY = ["disconnected", "agent_unavailable", "engine_unavailable", "invalid_state"];

/** The workspace is out of reach, which the bar above the editor says already. */
function isAway(error: unknown): boolean {
  return AWAY.some((code) => isCode(error, code));
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
