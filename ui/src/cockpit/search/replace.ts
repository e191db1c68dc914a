import { toCallError } from "@/client";
import { toast, toastError } from "@/components";
import { plural } from "@/lib/format";
import { tellUndoable } from "../explorer/undoable";
import { type CockpitSession } from "../session/session";
import { basename, shown } from "../model/path";

/** Undo keeps the files as they were, in the page's memory, up to this many bytes. */
const UNDO_BYTES = 64 * 1024 * 1024;

interface Before {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
}

interface Replaced extends Before {
  /** Of the file as the replacement left it. */
  version: string;
}

/** Replaces all matches of the present search in `paths`, with Undo. */
export async function replaceMatches(session: CockpitSession, paths: readonly string[]): Promise<void> {
  try {
    // What is typed but not saved takes part too.
    for (const path of paths) {
      const document = session.documents.get(path);
      if (document?.dirty === true && !(await document.save())) {
        toast({
          message: `${shown(document.name)} has unsaved text that could not be saved.`,
          tone: "failed",
        });
        return;
      }
    }
    const before = await readBefore(session, paths);
    const outcome = await session.search.replace([...paths]);
    await session.documents.filesChanged(undefined);
    const failed = outcome.failed[0];
    const changed = new Set(outcome.changed);
    const undo = await withVersions(session, before?.filter(({ path }) => changed.has(path)) ?? []);
    const step = {
      label: `Replace in ${plural(outcome.changed.length, "file")}`,
      run: () => restore(session, undo),
    };
    const message = `Replaced ${plural(outcome.replacements, "match", "matches")} in ${plural(outcome.changed.length, "file")}.`;
    const hint =
      failed &&
      `${shown(basename(failed.path))} was left alone: ${failed.reason}` +
        (outcome.failed.length > 1 ? ` So were ${outcome.failed.length - 1} more.` : "");
    if (undo.length > 0) tellUndoable(session, message, step, hint);
    else toast({ message, hint });
  } catch (error) {
    toastError(error);
  }
}

/** The files' present content; undefined where it is too much to keep. */
async function readBefore(session: CockpitSession, paths: readonly string[]): Promise<Before[] | undefined> {
  const before: Before[] = [];
  let total = 0;
  for (const path of paths) {
    const { bytes } = await session.host.read(path);
    total += bytes.length;
    if (total > UNDO_BYTES) return undefined;
    before.push({ path, bytes });
  }
  return before;
}

async function withVersions(session: CockpitSession, before: readonly Before[]): Promise<Replaced[]> {
  return Promise.all(
    before.map(async (file) => {
      const { version } = await session.host.call("fs.stat", { path: file.path });
      return { ...file, version };
    }),
  );
}

/** Writes the files as they were, but for those that something changed since. */
async function restore(session: CockpitSession, replaced: readonly Replaced[]): Promise<void> {
  const kept: string[] = [];
  for (const { path, bytes, version } of replaced) {
    try {
      await session.host.write(path, { kind: "version", version }, bytes);
    } catch (error) {
      const { code } = toCallError(error);
      if (code !== "conflict" && code !== "not_found") throw error;
      kept.push(shown(basename(path)));
    }
  }
  await session.documents.filesChanged(undefined);
  session.search.start();
  if (kept.length > 0) {
    toast({
      message: `${plural(kept.length, "file")} changed since and ${kept.length === 1 ? "was" : "were"} left alone.`,
      hint: kept.join(", "),
      tone: "failed",
    });
  }
}
