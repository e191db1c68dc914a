import { CallError, toCallError } from "@/client";
import { toast, toastError } from "@/components";
import { plural } from "@/lib/format";
import { basename, dirname, isWithin, join, relative, shown } from "../model/path";
import { type CockpitSession } from "../session/session";

/** Creates a file or folder named `name` (which may hold slashes) in `parent`; throws where it cannot. */
export async function createEntry(
  session: CockpitSession,
  parent: string,
  name: string,
  directory: boolean,
): Promise<void> {
  const path = join(parent, name.replace(/\/+$/, ""));
  if (directory || name.endsWith("/")) {
    const exists = await session.host.call("fs.stat", { path }).then(
      () => true,
      () => false,
    );
    if (exists) throw new CallError({ code: "already_exists", message: `“${shown(name)}” exists already.` });
    await session.host.call("fs.mkdir", { path });
  } else {
    await session.host.write(path, { kind: "missing" }, new Uint8Array(0));
  }
  await session.tree.refresh([parent]);
  await session.tree.reveal(path);
  if (!directory) session.groups.open(path, { keep: true });
}

/** Gives `from` the name `name`; throws where it cannot. */
export async function renameEntry(session: CockpitSession, from: string, name: string): Promise<void> {
  const to = join(dirname(from), name);
  if (to === from) return;
  if (name.includes("/")) await session.host.call("fs.mkdir", { path: dirname(to) });
  await movePath(session, from, to, false);
  await session.tree.reveal(to);
}

async function movePath(
  session: CockpitSession,
  from: string,
  to: string,
  overwrite: boolean,
): Promise<void> {
  await session.host.call("fs.rename", { from, to, overwrite });
  session.tree.followMove(from, to);
  await session.documents.follow(from, to);
  session.groups.follow(from, to);
  await session.tree.refresh([dirname(from), dirname(to)]);
}

/** Moves or copies `paths` into `directory`; asks before it would replace something. */
export async function placeEntries(
  session: CockpitSession,
  paths: readonly string[],
  directory: string,
  copy: boolean,
): Promise<void> {
  const done: [from: string, to: string][] = [];
  for (const from of paths) {
    if (isWithin(from, directory)) {
      if (from !== directory) toast({ message: "A folder cannot be moved into itself.", tone: "failed" });
      continue;
    }
    const to = join(directory, basename(from));
    try {
      if (copy) await copyEntry(session, from, directory);
      else if (to !== from && (await moveAsking(session, from, to))) done.push([from, to]);
    } catch (error) {
      toastError(error);
    }
  }
  if (copy) await session.tree.refresh([directory]);
  const last = done.at(-1);
  if (!last) return;
  await session.tree.reveal(last[1]);
  toast({
    message:
      done.length === 1
        ? `Moved ${shown(basename(last[0]))} to ${shown(basename(directory))}.`
        : `Moved ${done.length} items to ${shown(basename(directory))}.`,
    action: { label: "Undo", run: () => void undoMoves(session, done) },
  });
}

async function undoMoves(
  session: CockpitSession,
  done: readonly [from: string, to: string][],
): Promise<void> {
  for (const [from, to] of [...done].reverse()) {
    try {
      await movePath(session, to, from, false);
    } catch (error) {
      toastError(error);
    }
  }
}

async function moveAsking(session: CockpitSession, from: string, to: string): Promise<boolean> {
  try {
    await movePath(session, from, to, false);
    return true;
  } catch (error) {
    if (toCallError(error).code !== "already_exists") throw error;
    const replace = await session.questions.ask(
      `Replace ${shown(basename(to))} in ${shown(basename(dirname(to)))}?`,
      "A file of that name is there already. What it holds is lost.",
      [{ label: "Replace", value: true, kind: "danger" }],
    );
    if (replace === true) await movePath(session, from, to, true);
    return replace === true;
  }
}

/** Copies beside what is there: `name copy.txt`, `name copy 2.txt`. */
async function copyEntry(session: CockpitSession, from: string, directory: string): Promise<void> {
  const name = basename(from);
  const dot = name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  for (let number = 0; number < 100; number += 1) {
    const copy = number === 0 ? name : `${stem} copy${number === 1 ? "" : ` ${number}`}${ending}`;
    try {
      await session.host.call("fs.copy", { from, to: join(directory, copy) });
      return;
    } catch (error) {
      if (toCallError(error).code !== "already_exists") throw error;
    }
  }
}

/** Puts `paths` into the trash, from where Undo brings them back. */
export async function deleteEntries(session: CockpitSession, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const dirty = session.documents.dirty.filter((document) =>
    paths.some((path) => isWithin(path, document.path)),
  );
  try {
    const { token } = await session.host.call("fs.trash", { paths: [...paths] });
    session.groups.dropDeleted(paths);
    const parents = [...new Set(paths.map(dirname))];
    await session.tree.refresh(parents);
    const what = paths.length === 1 ? shown(basename(paths[0] ?? "")) : plural(paths.length, "item");
    toast({
      message: `Deleted ${what}.`,
      hint: dirty.length > 0 ? "Its unsaved text stays open." : undefined,
      action: {
        label: "Undo",
        run: () => {
          session.host.call("fs.restore", { token }).then(
            () => session.tree.refresh(parents),
            (error: unknown) => toastError(error),
          );
        },
      },
    });
  } catch (error) {
    toastError(error);
  }
}

interface Picked {
  /** Path below the target directory. */
  path: string;
  file: File;
}

/** Files and folders of a drop, folders walked. Must be called while the drop's event is handled. */
export async function droppedFiles(data: DataTransfer): Promise<Picked[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Picked[] = [];
  const walk = async (entry: FileSystemEntry, prefix: string): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((give, fail) => (entry as FileSystemFileEntry).file(give, fail));
      found.push({ path: prefix + entry.name, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // A reader gives at most 100 entries a time, and none at the end.
      const batch = await new Promise<FileSystemEntry[]>((give, fail) => reader.readEntries(give, fail));
      if (batch.length === 0) return;
      for (const inner of batch) await walk(inner, `${prefix}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

/** Sends files of this machine into `directory`. */
export async function uploadFiles(
  session: CockpitSession,
  directory: string,
  files: readonly Picked[],
): Promise<void> {
  if (files.length === 0) return;
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const label =
    files.length === 1 ? `Uploading ${shown(files[0]?.path ?? "")}` : `Uploading ${files.length} files`;
  let replaceAll = false;
  try {
    await session.transfers.run(label, total, async (progress, signal) => {
      let before = 0;
      const made = new Set<string>([directory]);
      for (const { path, file } of files) {
        const target = join(directory, path);
        if (!made.has(dirname(target))) {
          await session.host.call("fs.mkdir", { path: dirname(target) });
          made.add(dirname(target));
        }
        const exists = await session.host.call("fs.stat", { path: target }).then(
          () => true,
          () => false,
        );
        if (exists && !replaceAll) {
          const answer = await session.questions.ask(
            `Replace ${shown(path)}?`,
            "A file of that name is there already. What it holds is lost.",
            [
              { label: "Replace all", value: "all" },
              { label: "Skip", value: "skip" },
              { label: "Replace", value: "one", kind: "danger" },
            ] as const,
          );
          if (answer === undefined) return;
          if (answer === "skip") continue;
          replaceAll = answer === "all";
        }
        await session.host.upload(target, exists ? { kind: "any" } : { kind: "missing" }, pieces(file), {
          progress: (sent) => progress(before + sent),
          signal,
        });
        before += file.size;
      }
    });
  } catch (error) {
    toastError(error);
  }
  await session.tree.refresh([directory]);
}

async function* pieces(file: File): AsyncIterable<Uint8Array> {
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

interface SavePicker {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

/** Brings a file, or a folder as a tar archive, to this machine. */
export async function downloadEntry(
  session: CockpitSession,
  path: string,
  directory: boolean,
): Promise<void> {
  const name = basename(path) + (directory ? ".tar" : "");
  try {
    const total = directory ? undefined : (await session.host.call("fs.stat", { path })).size;
    const file = await chooseFile(name);
    if (file === "cancelled") return;
    await session.transfers.run(`Downloading ${shown(name)}`, total, async (progress, signal) => {
      let done = 0;
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const writable = await file?.createWritable();
      await session.host.download(path, async (bytes) => {
        if (signal.aborted)
          throw new CallError({ code: "cancelled", message: "The download was cancelled." });
        if (writable) await writable.write(bytes);
        else parts.push(bytes);
        done += bytes.length;
        progress(done);
      });
      if (writable) await writable.close();
      else saveBlob(new Blob(parts), name);
    });
  } catch (error) {
    toastError(error);
  }
}

/** Where the browser can, the bytes go straight to a file; else they are gathered and handed over at the end. */
async function chooseFile(name: string): Promise<FileSystemFileHandle | undefined | "cancelled"> {
  const { showSaveFilePicker } = window as SavePicker;
  if (!showSaveFilePicker) return undefined;
  try {
    return await showSaveFilePicker({ suggestedName: name });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return "cancelled";
    return undefined;
  }
}

function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken the bytes by the end of the minute.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    toast({
      message: "The clipboard cannot be written to.",
      hint: "Allow this page to use it.",
      tone: "failed",
    });
  }
}

export function relativeTo(session: CockpitSession, path: string): string {
  return relative(session.inside.folder, path);
}
