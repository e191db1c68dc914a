import { CallError } from "@/client";
import { toast, toastError } from "@/components";
import { basename, shown } from "../model/path";
import { type CockpitSession } from "../session/session";

/** Up to this size a file goes to the browser's downloads without a question; it is held in memory meanwhile. */
const IN_MEMORY = 64 * 1024 * 1024;

interface SavePicker {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

/** Where the bytes go. */
interface Sink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The path, where it is known. */
  finish(): Promise<string | undefined>;
  cancel(): Promise<void>;
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
    const sink = await sinkFor(session, name, total);
    if (sink === "cancelled") return;
    await session.transfers.run(`Downloading ${shown(name)}`, total, async (progress, signal) => {
      let done = 0;
      try {
        await session.host.download(path, async (bytes) => {
          if (signal.aborted)
            throw new CallError({ code: "cancelled", message: "The download was cancelled." });
          await sink.write(bytes);
          done += bytes.length;
          progress(done);
        });
        const saved = await sink.finish();
        if (saved !== undefined) toast({ message: `Saved ${saved}` });
      } catch (error) {
        await sink.cancel().catch(() => undefined);
        throw error;
      }
    });
  } catch (error) {
    toastError(error);
  }
}

async function sinkFor(
  session: CockpitSession,
  name: string,
  total: number | undefined,
): Promise<Sink | "cancelled"> {
  // In the desktop window.
  const local = await session.host.client.beginDownload(name);
  if (local) return local;
  const small = total !== undefined && total <= IN_MEMORY;
  const file = small ? undefined : await chooseFile(name);
  if (file === "cancelled") return file;
  if (file) {
    const writable = await file.createWritable();
    return {
      write: (bytes) => writable.write(bytes),
      finish: () => writable.close().then(() => undefined),
      cancel: () => writable.abort(),
    };
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  return {
    write: (bytes) => {
      parts.push(bytes);
      return Promise.resolve();
    },
    finish: () => {
      saveBlob(new Blob(parts), name);
      return Promise.resolve(undefined);
    },
    cancel: () => Promise.resolve(),
  };
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
