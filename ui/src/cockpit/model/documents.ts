import { type Draft } from "@/protocol/generated";
import { TextDocument, type DocumentFiles, type DocumentOptions } from "./document";
import { Observable } from "./observable";
import { dirname, isWithin, moved } from "./path";

/** Every open document of a workspace, by path. */
export class Documents extends Observable {
  private readonly open = new Map<string, TextDocument>();
  private readonly stops = new Map<TextDocument, () => void>();
  private drafts: Promise<Map<string, Draft>>;

  /** The workspace folder. */
  readonly root: string;
  private readonly files: DocumentFiles;
  private readonly options: DocumentOptions;

  constructor(root: string, files: DocumentFiles, options: DocumentOptions) {
    super();
    this.root = root;
    this.files = files;
    this.options = options;
    this.drafts = this.listDrafts();
    // Whoever opens a document sees the failure.
    this.drafts.catch(() => undefined);
  }

  get all(): TextDocument[] {
    return [...this.open.values()];
  }

  get dirty(): TextDocument[] {
    return this.all.filter((document) => document.dirty);
  }

  get(path: string): TextDocument | undefined {
    return this.open.get(path);
  }

  /** The document of `path`, opened where it is not. */
  acquire(path: string): TextDocument {
    const known = this.open.get(path);
    if (known) return known;
    const document = new TextDocument(path, this.files, this.options);
    this.open.set(path, document);
    this.stops.set(
      document,
      document.subscribe(() => this.changed()),
    );
    void this.begin(document);
    this.changed();
    return document;
  }

  /** No document is shown before it is known whether unsaved text of it was kept. */
  private async begin(document: TextDocument): Promise<void> {
    let draft: Draft | undefined;
    try {
      const drafts = await this.drafts;
      draft = drafts.get(document.path);
      drafts.delete(document.path);
    } catch (error) {
      document.failToLoad(error);
      return;
    }
    await document.load(draft);
  }

  /** Tries again to open a document that could not be read. */
  async reopen(document: TextDocument): Promise<void> {
    this.drafts = this.drafts.catch(() => this.listDrafts());
    await this.begin(document);
  }

  newUntitled(): TextDocument {
    let number = 1;
    while (this.open.has(`untitled:${number}`)) number += 1;
    return this.acquire(`untitled:${number}`);
  }

  /** The paths of which unsaved text was kept and that are not open yet. */
  async draftPaths(): Promise<string[]> {
    return [...(await this.drafts).keys()];
  }

  private async listDrafts(): Promise<Map<string, Draft>> {
    return new Map((await this.files.listDrafts()).map((draft) => [draft.path, draft]));
  }

  release(document: TextDocument): void {
    if (this.open.get(document.path) !== document) return;
    this.open.delete(document.path);
    this.stops.get(document)?.();
    this.stops.delete(document);
    document.dispose();
    this.changed();
  }

  /** Follows a renamed or moved file or folder; returns the documents that moved. */
  async follow(from: string, to: string): Promise<[before: string, document: TextDocument][]> {
    const found: [string, TextDocument][] = [];
    for (const [path, document] of [...this.open]) {
      if (!isWithin(from, path)) continue;
      this.open.delete(path);
      const next = moved(path, from, to);
      this.open.set(next, document);
      found.push([path, document]);
    }
    await Promise.all(found.map(([before, document]) => document.moveTo(moved(before, from, to))));
    if (found.length > 0) this.changed();
    return found;
  }

  /** Puts `document` under the path it has now. */
  rekey(before: string, document: TextDocument): void {
    this.open.delete(before);
    this.open.set(document.path, document);
    this.changed();
  }

  /** Looks after the documents of these directories, or after all. */
  async filesChanged(directories: readonly string[] | undefined): Promise<void> {
    const changed = directories && new Set(directories);
    await Promise.all(
      this.all
        .filter((document) => !changed || changed.has(dirname(document.path)))
        .map((document) => document.checkDisk()),
    );
  }

  /** The directories in which a change concerns an open document. */
  get directories(): string[] {
    return [
      ...new Set(this.all.filter((document) => !document.untitled).map((document) => dirname(document.path))),
    ];
  }

  /** The connection is back: keeps and saves what could not be kept or saved meanwhile. */
  async retry(): Promise<void> {
    await this.flushDrafts();
    await Promise.all(this.all.map((document) => document.saveOwed()));
  }

  async flushDrafts(): Promise<void> {
    await Promise.all(this.all.map((document) => document.flushDraft()));
  }

  dispose(): void {
    for (const document of this.all) this.release(document);
  }
}
