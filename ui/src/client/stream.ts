import { INITIAL_STREAM_CREDIT, MAX_FRAME_LEN, type StreamEnd } from "@/protocol/generated";
import { encodeFrame, FrameKind, NO_BODY } from "./frame";

/** Why a stream ended: the host's word, or this side's connection broke. */
export type StreamClosed = StreamEnd | { kind: "disconnected" };

/** Called for each piece of data; `consumed` gives its bytes back as credit once they have been dealt with. */
export type DataListener = (bytes: Uint8Array<ArrayBuffer>, consumed: () => void) => void;

// Credit goes back in pieces of a quarter of the window: few frames, and the sender never starves.
const CREDIT_STEP = INITIAL_STREAM_CREDIT / 4;
const MAX_DATA_LEN = Math.min(64 * 1024, MAX_FRAME_LEN - 1024);

/** One byte stream, both ways, with flow control. */
export class Stream {
  readonly id: number;
  /** Resolves when the stream has ended and all its data was handed to the listener. */
  readonly ended: Promise<StreamClosed>;
  #send: (frame: Uint8Array<ArrayBuffer>) => void;
  #forget: (more: boolean) => void;
  #listener: DataListener | undefined;
  #early: Uint8Array<ArrayBuffer>[] = [];
  #unreturned = 0;
  #credit = INITIAL_STREAM_CREDIT;
  #waiting: (() => void)[] = [];
  #closed: StreamClosed | undefined;
  #resolve!: (end: StreamClosed) => void;

  constructor(id: number, send: (frame: Uint8Array<ArrayBuffer>) => void, forget: (more: boolean) => void) {
    this.id = id;
    this.#send = send;
    this.#forget = forget;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** True once someone listens. */
  get claimed(): boolean {
    return this.#listener !== undefined;
  }

  /** Sets the one listener; data that came earlier is handed over now. */
  onData(listener: DataListener): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#deliver(listener, bytes);
    if (this.#closed) {
      this.#forget(false);
      this.#resolve(this.#closed);
    }
  }

  /** Sends bytes, in pieces, as credit allows; resolves when the last piece was handed to the connection. */
  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#closed) throw new Error(`the stream has ended (${this.#closed.kind})`);
      if (this.#credit === 0) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const length = Math.min(bytes.length - offset, this.#credit, MAX_DATA_LEN);
      this.#credit -= length;
      this.#send(encodeFrame(FrameKind.StreamData, this.id, "", bytes.subarray(offset, offset + length)));
      offset += length;
    }
  }

  /** Says that no more data follows from here; the host's answer resolves `ended`. */
  finish(): void {
    if (!this.#closed) this.#send(encodeFrame(FrameKind.StreamEnd, this.id));
  }

  /** Lets go of the stream: tells the host and ignores what still arrives. */
  close(): void {
    if (this.#closed) return;
    // Said apart from `finish`: an upload that was cancelled must not be kept as if it were whole.
    this.#send(encodeFrame(FrameKind.StreamEnd, this.id, '{"kind":"closed"}'));
    this.#forget(true);
    this.#end({ kind: "closed" });
  }

  /** For the client: a data frame arrived. */
  receive(body: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) return;
    if (this.#listener) this.#deliver(this.#listener, body);
    else this.#early.push(body);
  }

  /** For the client: the host may be sent `bytes` more. */
  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#wake();
  }

  /** For the client: the host, or the connection, ended the stream. */
  receiveEnd(end: StreamClosed): void {
    if (!this.#closed) this.#end(end);
  }

  #deliver(listener: DataListener, bytes: Uint8Array<ArrayBuffer>): void {
    let returned = false;
    listener(bytes, () => {
      if (returned) return;
      returned = true;
      this.#unreturned += bytes.length;
      if (this.#unreturned < CREDIT_STEP || this.#closed) return;
      this.#send(encodeFrame(FrameKind.StreamCredit, this.id, String(this.#unreturned), NO_BODY));
      this.#unreturned = 0;
    });
  }

  #end(end: StreamClosed): void {
    this.#closed = end;
    this.#wake();
    // Data that no one has listened to yet comes before the end.
    if (this.#listener || this.#early.length === 0) this.#resolve(end);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
