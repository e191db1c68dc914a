import { CallError, type LocalFile } from "@/client";
import { toast, toastError } from "@/components";
import { basename, shown } from "../model/path";
import { type CockpitSession } from "../session/session";

/** Up to this size a file goes to the browser's downloads without a question; it is held in memory meanwhile. */
const IN_MEMORY = 64 * 1024 * 1024;

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
    const local = await session.host.client.beginDownload(name);
    if (local) return await saveTo(local, session, path, name, total);
    const small = total !== undefined && total <= IN_MEMORY;
    const file = small ? undefined : await chooseFile(name);
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

/** In the desktop window: straight into a file. */
async function saveTo(
  local: LocalFile,
  session: CockpitSession,
  path: string,
  name: string,
  total: number | undefined,
): Promise<void> {
  try {
    const saved = await session.transfers.run(
      `Downloading ${shown(name)}`,
      total,
      async (progress, signal) => {
        let done = 0;
        await session.host.download(path, async (bytes) => {
          if (signal.aborted)
            throw new CallError({ code: "cancelled", message: "The download was cancelled." });
          await local.write(bytes);
          done += bytes.length;
          progress(done);
        });
        return local.finish();
      },
    );
    toast({ message: `Saved ${saved}` });
  } catch (error) {
    await local.cancel().catch(() => undefined);
    throw error;
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
