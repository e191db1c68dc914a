import { CallError, toCallError } from "@/client";
import { toast, toastError } from "@/components";
import { plural } from "@/lib/format";
import { basename, dirname, isWithin, join, relative, shown } from "../model/path";
import { type CockpitSession } from "../session/session";
import { tellUndoable } from "./undoable";

/** Most names that are tried for a copy beside what is there. */
const COPY_NAMES = 100;

export async function exists(session: CockpitSession, path: string): Promise<boolean> {
  try {
    await session.host.call("fs.stat", { path });
    return true;
  } catch (error) {
    if (toCallError(error).code === "not_found") return false;
    throw error;
  }
}

function taken(name: string): CallError {
  return new CallError({
    code: "already_exists",
    message: `“${shown(name)}” exists already. Choose another name.`,
  });
}

/** Makes a folder, with those around it, where there is none. */
export async function ensureFolder(session: CockpitSession, path: string): Promise<void> {
  try {
    await session.host.call("fs.mkdir", { path });
  } catch (error) {
    if (toCallError(error).code !== "already_exists") throw error;
  }
}

/** Creates a file or folder named `name` (which may hold slashes) in `parent`; throws where it cannot. */
export async function createEntry(
  session: CockpitSession,
  parent: string,
  name: string,
  directory: boolean,
): Promise<void> {
  const path = join(parent, name.replace(/\/+$/, ""));
  const folder = directory || name.endsWith("/");
  if (await exists(session, path)) throw taken(name);
  if (folder) await session.host.call("fs.mkdir", { path });
  else await session.host.write(path, { kind: "missing" }, new Uint8Array(0));
  session.fileUndo.push({
    label: `Create ${shown(basename(path))}`,
    run: async () => {
      await session.host.call("fs.trash", { paths: [path] });
      session.groups.dropDeleted([path]);
      await session.tree.refresh([dirname(path), parent]);
    },
  });
  await session.tree.refresh([parent]);
  await session.tree.reveal(path);
  if (!folder) session.groups.open(path, { keep: true });
}

/** Gives `from` the name `name`; throws where it cannot. */
export async function renameEntry(session: CockpitSession, from: string, name: string): Promise<void> {
  const to = join(dirname(from), name);
  if (to === from) return;
  if (name.includes("/")) await ensureFolder(session, dirname(to));
  try {
    await movePath(session, from, to, false);
  } catch (error) {
    throw toCallError(error).code === "already_exists" ? taken(name) : error;
  }
  session.fileUndo.push({
    label: `Rename ${shown(basename(from))}`,
    run: async () => {
      await movePath(session, to, from, false);
      await session.tree.reveal(from);
    },
  });
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
    try {
      const to = copy
        ? await copyEntry(session, from, directory)
        : await moveAsking(session, from, directory);
      if (to !== undefined) done.push([from, to]);
    } catch (error) {
      toastError(error);
    }
  }
  if (copy) await session.tree.refresh([directory]);
  const last = done.at(-1);
  if (!last) return;
  await session.tree.reveal(last[1]);
  const what = done.length === 1 ? shown(basename(last[0])) : plural(done.length, "item");
  tellUndoable(session, `${copy ? "Copied" : "Moved"} ${what} to ${shown(basename(directory) || "/")}.`, {
    label: `${copy ? "Copy" : "Move"} ${what}`,
    run: () => (copy ? removeCopies(session, done, directory) : moveBack(session, done)),
  });
}

type Placed = readonly [from: string, to: string];

async function moveBack(session: CockpitSession, done: readonly Placed[]): Promise<void> {
  for (const [from, to] of [...done].reverse()) await movePath(session, to, from, false);
  const first = done[0];
  if (first) await session.tree.reveal(first[0]);
}

async function removeCopies(
  session: CockpitSession,
  done: readonly Placed[],
  directory: string,
): Promise<void> {
  const copies = done.map(([, to]) => to);
  await session.host.call("fs.trash", { paths: copies });
  session.groups.dropDeleted(copies);
  await session.tree.refresh([directory]);
}

/** Where `from` was moved to; undefined where it stays. */
async function moveAsking(
  session: CockpitSession,
  from: string,
  directory: string,
): Promise<string | undefined> {
  const to = join(directory, basename(from));
  if (to === from) return undefined;
  if (isWithin(from, directory))
    throw new CallError({ code: "invalid_argument", message: "A folder cannot be moved into itself." });
  try {
    await movePath(session, from, to, false);
    return to;
  } catch (error) {
    if (toCallError(error).code !== "already_exists") throw error;
    const replace = await session.questions.ask(
      `Replace ${shown(basename(to))} in ${shown(basename(dirname(to)))}?`,
      "Something of that name is there already. What it holds is lost.",
      [{ label: "Replace", value: true, kind: "danger" }],
    );
    if (replace !== true) return undefined;
    await movePath(session, from, to, true);
    return to;
  }
}

/** Copies beside what is there: `name copy.txt`, `name copy 2.txt`. */
async function copyEntry(session: CockpitSession, from: string, directory: string): Promise<string> {
  if (isWithin(from, directory) && from !== directory && dirname(from) !== directory)
    throw new CallError({ code: "invalid_argument", message: "A folder cannot be copied into itself." });
  const name = basename(from);
  const dot = name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  for (let number = 0; number < COPY_NAMES; number += 1) {
    const copy = number === 0 ? name : `${stem} copy${number === 1 ? "" : ` ${number}`}${ending}`;
    const to = join(directory, copy);
    try {
      await session.host.call("fs.copy", { from, to });
      return to;
    } catch (error) {
      if (toCallError(error).code !== "already_exists") throw error;
    }
  }
  throw new CallError({
    code: "already_exists",
    message: `There are ${COPY_NAMES} copies of “${shown(name)}” already.`,
  });
}

/** Puts `paths` into the trash, from where Undo brings them back. */
export async function deleteEntries(session: CockpitSession, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const dirty = session.documents.dirty.filter((document) =>
    paths.some((path) => isWithin(path, document.path)),
  );
  const parents = [...new Set(paths.map(dirname))];
  const what = paths.length === 1 ? shown(basename(paths[0] ?? "")) : plural(paths.length, "item");
  const neighbour = session.tree.neighbourOf(paths);
  try {
    const { token } = await session.host.call("fs.trash", { paths: [...paths] });
    session.groups.dropDeleted(paths);
    await session.tree.refresh(parents);
    if (neighbour !== undefined && session.tree.indexOf(neighbour) >= 0) session.tree.focusOnly(neighbour);
    tellUndoable(
      session,
      `Deleted ${what}.`,
      {
        label: `Delete ${what}`,
        run: async () => {
          await session.host.call("fs.restore", { token });
          await session.tree.refresh(parents);
          const first = paths[0];
          if (first !== undefined) await session.tree.reveal(first);
        },
      },
      dirty.length > 0 ? "Its unsaved text stays open." : undefined,
    );
  } catch (error) {
    toastError(error);
  }
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
