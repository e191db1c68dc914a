// The desktop's way to the host. Loaded only inside the desktop window; the one file that knows Tauri.
import { Channel, invoke } from "@tauri-apps/api/core";
import { CallError } from "./errors";
import { type LocalFile, type Transport, type TransportHandlers } from "./transport";

const RETRY_MS = 1_000;

/** Frames go by the command `rpc`; everything that comes back, replies included, by the channel of `subscribe`. */
export class TauriTransport implements Transport {
  readonly keysReserved = false;
  #handlers: TransportHandlers | undefined;
  #channel: Channel<ArrayBuffer | number[]> | undefined;
  #attempt = 0;
  #timer: number | undefined;

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#subscribe();
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    const channel = this.#channel;
    invoke("rpc", frame).catch(() => this.#lost(channel));
  }

  retry(): void {
    if (this.#timer === undefined) return;
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#subscribe();
  }

  pickFolder(): Promise<string | null> {
    return invoke<string | null>("pick_folder");
  }

  async beginDownload(name: string): Promise<LocalFile> {
    const id = await told(invoke<number>("download_begin", { name }));
    return {
      write: (bytes) => told(invoke("download_write", bytes, { headers: { download: String(id) } })),
      finish: () => told(invoke<string>("download_finish", { id })),
      cancel: () => invoke("download_cancel", { id }),
    };
  }

  #subscribe(): void {
    const channel = new Channel<ArrayBuffer | number[]>();
    this.#channel = channel;
    channel.onmessage = (message) => {
      if (this.#channel !== channel) return;
      // Tauri hands short messages over as an array of numbers.
      const frame = new Uint8Array(message);
      // An empty one says that the connection ended.
      if (frame.length === 0) this.#lost(channel);
      else this.#handlers?.frame(frame);
    };
    invoke("subscribe", { channel }).then(
      () => {
        if (this.#channel !== channel) return;
        this.#attempt = 0;
        this.#handlers?.state({ kind: "connected" });
      },
      () => this.#lost(channel),
    );
  }

  #lost(channel: Channel<ArrayBuffer | number[]> | undefined): void {
    if (channel === undefined || this.#channel !== channel) return;
    this.#channel = undefined;
    this.#attempt += 1;
    this.#handlers?.state({ kind: "reconnecting", attempt: this.#attempt, nextAt: Date.now() + RETRY_MS });
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      this.#subscribe();
    }, RETRY_MS);
  }
}

/** The desktop's own errors are sentences. */
function told<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((reason: unknown) => {
    throw new CallError({ code: "internal", message: String(reason) });
  });
}
