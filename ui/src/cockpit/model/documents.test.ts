import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Draft, type FileStat, type WriteCondition } from "@/protocol/generated";
import { DRAFT_DELAY_MS, type DocumentFiles, type TextBuffer, type TextDocument } from "./document";
import { Documents } from "./documents";

class Failure extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Text with undo numbers, as Monaco counts them. */
class PlainText implements TextBuffer {
  text: string;
  count = 1;
  listener: (() => void) | undefined;
  constructor(text: string) {
    this.text = text;
  }
  getText = () => this.text;
  setText = (text: string) => {
    if (text !== this.text) this.type(text);
  };
  revision = () => this.count;
  setEol = () => undefined;
  onChange = (listener: () => void) => {
    this.listener = listener;
  };
  setPath = () => undefined;
  dispose = () => undefined;
  type(text: string) {
    this.text = text;
    this.count += 1;
    this.listener?.();
  }
}

/** A disk and a store of drafts that can be taken away. */
class Disk implements DocumentFiles {
  files = new Map<string, { bytes: Uint8Array<ArrayBuffer>; version: number }>();
  drafts = new Map<string, { draft: Draft; bytes: Uint8Array<ArrayBuffer> }>();
  away = false;
  versions = 0;

  put(path: string, text: string) {
    this.versions += 1;
    this.files.set(path, { bytes: new TextEncoder().encode(text), version: this.versions });
  }
  text(path: string) {
    const file = this.files.get(path);
    return file && new TextDecoder().decode(file.bytes);
  }
  draftText(path: string) {
    const draft = this.drafts.get(path);
    return draft && new TextDecoder().decode(draft.bytes);
  }
  private reach() {
    if (this.away) throw new Failure("disconnected");
  }
  private statOf(path: string): FileStat {
    const file = this.files.get(path);
    if (!file) throw new Failure("not_found");
    return {
      kind: "file",
      size: file.bytes.length,
      modified_ms: 0,
      mode: 0o644,
      writable: true,
      version: String(file.version),
    };
  }
  async stat(path: string) {
    await Promise.resolve();
    this.reach();
    return this.statOf(path);
  }
  async read(path: string) {
    const stat = await this.stat(path);
    return { stat, bytes: this.files.get(path)?.bytes ?? new Uint8Array(0) };
  }
  async write(path: string, condition: WriteCondition, bytes: Uint8Array<ArrayBuffer>) {
    await Promise.resolve();
    this.reach();
    const version = this.files.get(path)?.version;
    if (condition.kind === "version" && String(version) !== condition.version) throw new Failure("conflict");
    if (condition.kind === "missing" && version !== undefined) throw new Failure("already_exists");
    this.versions += 1;
    this.files.set(path, { bytes, version: this.versions });
    return this.statOf(path);
  }
  async putDraft(draft: Draft, bytes: Uint8Array<ArrayBuffer>) {
    await Promise.resolve();
    this.reach();
    this.drafts.set(draft.path, { draft, bytes });
  }
  async listDrafts() {
    await Promise.resolve();
    this.reach();
    return [...this.drafts.values()].map(({ draft }) => draft);
  }
  async getDraft(path: string) {
    await Promise.resolve();
    const found = this.drafts.get(path);
    if (!found) throw new Failure("not_found");
    return found;
  }
  async deleteDraft(path: string) {
    await Promise.resolve();
    this.reach();
    this.drafts.delete(path);
  }
}

let disk: Disk;
let autosave: number;

function openAll(): Documents {
  return new Documents("/w", disk, {
    prepare: () => Promise.resolve(),
    createBuffer: (_path, text) => new PlainText(text),
    autosaveDelayMs: () => autosave,
  });
}

async function opened(
  documents: Documents,
  path: string,
): Promise<{ document: TextDocument; text: PlainText }> {
  const document = documents.acquire(path);
  await vi.advanceTimersByTimeAsync(0);
  return { document, text: document.buffer as PlainText };
}

beforeEach(() => {
  vi.useFakeTimers();
  disk = new Disk();
  autosave = 0;
});

describe("a document", () => {
  it("is dirty from the first change until it is saved or undone", async () => {
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    expect(document.dirty).toBe(false);
    text.type("two");
    expect(document.dirty).toBe(true);
    expect(await document.save()).toBe(true);
    expect(document.dirty).toBe(false);
    expect(disk.text("/w/a")).toBe("two");
  });

  it("keeps a byte order mark", async () => {
    disk.put("/w/a", "\ufeffone");
    const { document, text } = await opened(openAll(), "/w/a");
    expect(text.text).toBe("one");
    text.type("two");
    await document.save();
    expect([...(disk.files.get("/w/a")?.bytes.slice(0, 3) ?? [])]).toEqual([0xef, 0xbb, 0xbf]);
  });

  it("does not overwrite what changed on disk, and says so", async () => {
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    text.type("mine");
    disk.put("/w/a", "theirs");
    expect(await document.save()).toBe(false);
    expect(document.conflict).toEqual({ kind: "changed" });
    expect(disk.text("/w/a")).toBe("theirs");
    expect(text.text).toBe("mine");
    expect(await document.save(true)).toBe(true);
    expect(disk.text("/w/a")).toBe("mine");
    expect(document.conflict).toBeUndefined();
  });

  it("takes a change on disk over while nothing is unsaved", async () => {
    disk.put("/w/a", "one");
    const documents = openAll();
    const { document, text } = await opened(documents, "/w/a");
    disk.put("/w/a", "two");
    await documents.filesChanged(["/w"]);
    expect(text.text).toBe("two");
    expect(document.dirty).toBe(false);
    expect(document.conflict).toBeUndefined();
  });

  it("keeps its text when the file is deleted, and can write it again", async () => {
    disk.put("/w/a", "one");
    const documents = openAll();
    const { document, text } = await opened(documents, "/w/a");
    disk.files.delete("/w/a");
    await documents.filesChanged(["/w"]);
    expect(document.conflict).toEqual({ kind: "deleted" });
    expect(text.text).toBe("one");
    await document.save(true);
    expect(disk.text("/w/a")).toBe("one");
    expect(document.conflict).toBeUndefined();
  });

  it("is read-only where its bytes are not text that can be written back", async () => {
    disk.files.set("/w/a", { bytes: new Uint8Array([0x61, 0xff]), version: 1 });
    const { document } = await opened(openAll(), "/w/a");
    expect(document.readOnly).toBe("invalid_utf8");
    expect(await document.save()).toBe(false);
  });
});

describe("hot exit", () => {
  it("keeps each change within 300 ms, and forgets it after saving", async () => {
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    text.type("two");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    expect(DRAFT_DELAY_MS).toBeLessThanOrEqual(300);
    expect(disk.draftText("/w/a")).toBe("two");
    await document.save();
    expect(disk.drafts.size).toBe(0);
  });

  it("brings the text back, dirty, after a crash", async () => {
    disk.put("/w/a", "one");
    const before = await opened(openAll(), "/w/a");
    before.text.type("unsaved");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    const { document, text } = await opened(openAll(), "/w/a");
    expect(text.text).toBe("unsaved");
    expect(document.dirty).toBe(true);
    expect(document.conflict).toBeUndefined();
  });

  it("says that the file changed since the unsaved text began", async () => {
    disk.put("/w/a", "one");
    const before = await opened(openAll(), "/w/a");
    before.text.type("unsaved");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    disk.put("/w/a", "two");
    const { document, text } = await opened(openAll(), "/w/a");
    expect(text.text).toBe("unsaved");
    expect(document.conflict).toEqual({ kind: "changed" });
  });

  it("keeps unsaved text of a file that is gone", async () => {
    disk.put("/w/a", "one");
    const before = await opened(openAll(), "/w/a");
    before.text.type("unsaved");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    disk.files.delete("/w/a");
    const { document, text } = await opened(openAll(), "/w/a");
    expect(text.text).toBe("unsaved");
    expect(document.conflict).toEqual({ kind: "deleted" });
    expect(document.dirty).toBe(true);
  });

  it("lets go of a draft that equals the file", async () => {
    disk.put("/w/a", "same");
    disk.drafts.set("/w/a", {
      draft: { path: "/w/a", base_version: "0" },
      bytes: new TextEncoder().encode("same"),
    });
    const { document } = await opened(openAll(), "/w/a");
    expect(document.dirty).toBe(false);
    expect(disk.drafts.size).toBe(0);
  });

  it("keeps trying while the host is away", async () => {
    disk.put("/w/a", "one");
    const { text } = await opened(openAll(), "/w/a");
    disk.away = true;
    text.type("two");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    expect(disk.drafts.size).toBe(0);
    disk.away = false;
    await vi.advanceTimersByTimeAsync(5000);
    expect(disk.draftText("/w/a")).toBe("two");
  });

  it("forgets text that was given up", async () => {
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    text.type("two");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    await document.discard();
    expect(disk.drafts.size).toBe(0);
    expect(document.dirty).toBe(false);
  });

  it("keeps texts that have no file, under numbers that are free", async () => {
    disk.drafts.set("untitled:1", { draft: { path: "untitled:1" }, bytes: new TextEncoder().encode("note") });
    const documents = openAll();
    const [path] = await documents.draftPaths();
    const { document, text } = await opened(documents, path ?? "");
    expect(text.text).toBe("note");
    expect(document.dirty).toBe(true);
    expect(documents.newUntitled().path).toBe("untitled:2");
  });
});

describe("autosave", () => {
  it("saves after the pause that the settings say", async () => {
    autosave = 1000;
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    text.type("two");
    await vi.advanceTimersByTimeAsync(999);
    expect(disk.text("/w/a")).toBe("one");
    await vi.advanceTimersByTimeAsync(1);
    expect(disk.text("/w/a")).toBe("two");
    expect(document.dirty).toBe(false);
  });

  it("leaves a conflict to the person", async () => {
    autosave = 1000;
    disk.put("/w/a", "one");
    const { document, text } = await opened(openAll(), "/w/a");
    text.type("mine");
    disk.put("/w/a", "theirs");
    await vi.advanceTimersByTimeAsync(5000);
    expect(document.conflict).toEqual({ kind: "changed" });
    expect(disk.text("/w/a")).toBe("theirs");
  });

  it("saves what could not be saved once the host is back", async () => {
    autosave = 1000;
    disk.put("/w/a", "one");
    const documents = openAll();
    const { document, text } = await opened(documents, "/w/a");
    disk.away = true;
    text.type("two");
    await vi.advanceTimersByTimeAsync(1000);
    expect(document.dirty).toBe(true);
    expect(document.saveError).toBeUndefined();
    disk.away = false;
    await documents.retry();
    expect(disk.text("/w/a")).toBe("two");
    expect(document.dirty).toBe(false);
  });
});

describe("open documents", () => {
  it("follow a renamed folder, with their unsaved text", async () => {
    disk.put("/w/dir/a", "one");
    const documents = openAll();
    const { document, text } = await opened(documents, "/w/dir/a");
    text.type("two");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    await documents.follow("/w/dir", "/w/new");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    expect(documents.get("/w/new/a")).toBe(document);
    expect([...disk.drafts.keys()]).toEqual(["/w/new/a"]);
    expect(document.dirty).toBe(true);
  });

  it("get a file by saving under a name", async () => {
    const documents = openAll();
    const document = documents.newUntitled();
    await vi.advanceTimersByTimeAsync(0);
    (document.buffer as PlainText).type("text");
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    await document.saveAs("/w/new", false);
    documents.rekey("untitled:1", document);
    await vi.advanceTimersByTimeAsync(DRAFT_DELAY_MS);
    expect(disk.text("/w/new")).toBe("text");
    expect(disk.drafts.size).toBe(0);
    expect(documents.get("/w/new")?.dirty).toBe(false);
  });
});
