import { toast, toastError } from "@/components";
import { plural } from "@/lib/format";
import { type CockpitSession } from "../session/session";
import { basename, shown } from "../model/path";

/** Undo keeps the files as they were, in the page's memory, up to this many bytes. */
const UNDO_BYTES = 64 * 1024 * 1024;

interface Before {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
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
    const undo = before?.filter(({ path }) => changed.has(path));
    toast({
      message: `Replaced ${plural(outcome.replacements, "match", "matches")} in ${plural(outcome.changed.length, "file")}.`,
      hint:
        failed &&
        `${shown(basename(failed.path))} was left alone: ${failed.reason}` +
          (outcome.failed.length > 1 ? ` So were ${outcome.failed.length - 1} more.` : ""),
      ...(undo && undo.length > 0
        ? { action: { label: "Undo", run: () => void restore(session, undo) } }
        : {}),
    });
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

async function restore(session: CockpitSession, before: readonly Before[]): Promise<void> {
  try {
    for (const { path, bytes } of before) await session.host.write(path, { kind: "any" }, bytes);
    await session.documents.filesChanged(undefined);
    session.search.start();
  } catch (error) {
    toastError(error);
  }
}
