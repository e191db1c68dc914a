import { toastError } from "@/components";
import { plural } from "@/lib/format";
import { dirname, join, shown } from "../model/path";
import { type CockpitSession } from "../session/session";
import { ensureFolder, exists } from "./entries";

/** A file of this machine, or a folder of which nothing else tells that it exists. */
export interface Picked {
  /** Path below the target directory. */
  path: string;
  file: File | undefined;
}

/** Asks for files of this machine and sends them into `target`. */
export function chooseUpload(session: CockpitSession, target: string): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.onchange = () => {
    const files = [...(input.files ?? [])].map((file) => ({ path: file.name, file }));
    void uploadFiles(session, target, files);
  };
  input.click();
}

/** Files and folders of a drop, folders walked. Must be called while the drop's event is handled. */
export async function droppedFiles(data: DataTransfer): Promise<Picked[]> {
  const items = [...data.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: Picked[] = [];
  for (const { entry, file } of entries) {
    if (entry) await walk(entry, "", found);
    else if (file) found.push({ path: file.name, file });
  }
  return found;
}

async function walk(entry: FileSystemEntry, prefix: string, found: Picked[]): Promise<void> {
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((give, fail) => (entry as FileSystemFileEntry).file(give, fail));
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const before = found.length;
  for (;;) {
    // A reader gives at most 100 entries a time, and none at the end.
    const batch = await new Promise<FileSystemEntry[]>((give, fail) => reader.readEntries(give, fail));
    if (batch.length === 0) break;
    for (const inner of batch) await walk(inner, `${path}/`, found);
  }
  if (found.length === before) found.push({ path, file: undefined });
}

/** Sends files of this machine into `directory`. */
export async function uploadFiles(
  session: CockpitSession,
  directory: string,
  picked: readonly Picked[],
): Promise<void> {
  const first = picked[0];
  if (!first) return;
  const total = picked.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
  const what = picked.length === 1 ? shown(first.path) : plural(picked.length, "file");
  try {
    await session.transfers.run(`Uploading ${what}`, total, (progress, signal) =>
      sendAll(session, directory, picked, progress, signal),
    );
  } catch (error) {
    toastError(error);
  }
  await session.tree.refresh([directory]);
  const top = join(directory, first.path.split("/")[0] ?? first.path);
  if (session.tree.node(top)) await session.tree.reveal(top);
}

async function sendAll(
  session: CockpitSession,
  directory: string,
  picked: readonly Picked[],
  progress: (done: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let before = 0;
  let replaceAll = false;
  const made = new Set<string>([directory]);
  const makeFolder = async (path: string) => {
    if (made.has(path)) return;
    await ensureFolder(session, path);
    made.add(path);
  };
  for (const { path, file } of picked) {
    const target = join(directory, path);
    await makeFolder(file ? dirname(target) : target);
    if (!file) continue;
    const present = await exists(session, target);
    if (present && !replaceAll) {
      const answer = await askToReplace(session, path, picked.length > 1);
      if (answer === undefined) return;
      if (answer === "skip") continue;
      replaceAll = answer === "all";
    }
    await session.host.upload(target, present ? { kind: "any" } : { kind: "missing" }, pieces(file), {
      progress: (sent) => progress(before + sent),
      signal,
    });
    before += file.size;
  }
}

type Replace = "all" | "skip" | "one";

function askToReplace(session: CockpitSession, path: string, several: boolean): Promise<Replace | undefined> {
  const more = [
    { label: "Replace all", value: "all" },
    { label: "Skip", value: "skip" },
  ] as const;
  return session.questions.ask<Replace>(
    `Replace ${shown(path)}?`,
    "A file of that name is there already. What it holds is lost.",
    [...(several ? more : []), { label: "Replace", value: "one", kind: "danger" }],
  );
}

async function* pieces(file: File): AsyncIterable<Uint8Array> {
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
