import { type ApiError, type Event, type Operations, type StreamEnd } from "@/protocol/generated";
import { CallError, disconnected } from "./errors";
import { decodeFrame, encodeFrame, FrameKind, NO_BODY } from "./frame";
import { Stream } from "./stream";
import { type ConnectionState, type LocalFile, type Transport } from "./transport";

export type OperationName = keyof Operations;
export type Params<O extends OperationName> = Operations[O]["params"];
export type Reply<O extends OperationName> = Operations[O]["reply"];

export interface CallOptions {
  /** Raw bytes that travel with the request. */
  body?: Uint8Array;
  /** Aborting tells the host that the answer is no longer wanted. */
  signal?: AbortSignal;
}

interface Pending {
  resolve(answer: { reply: never; body: Uint8Array<ArrayBuffer> }): void;
  reject(error: Error): void;
}

/** The one way to the host: typed calls, pushed events, and byte streams. */
export class Client {
  readonly keysReserved: boolean;
  #transport: Transport;
  #state: ConnectionState = { kind: "connecting" };
  #nextId = 1;
  #pending = new Map<number, Pending>();
  #unsent: Uint8Array<ArrayBuffer>[] = [];
  #streams = new Map<number, Stream>();
  #forgotten = new Set<number>();
  #stateListeners = new Set<(state: ConnectionState) => void>();
  #eventListeners = new Set<(event: Event) => void>();

  constructor(transport: Transport) {
    this.#transport = transport;
    this.keysReserved = transport.keysReserved;
    transport.start({
      frame: (bytes) => this.#receive(bytes),
      state: (state) => this.#setState(state),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Calls an operation; rejects with a {@link CallError}. */
  async call<O extends OperationName>(op: O, params: Params<O>, options?: CallOptions): Promise<Reply<O>> {
    return (await this.callWithBody(op, params, options)).reply;
  }

  /** Calls an operation whose reply carries bytes (`fs.read`, `draft.get`). */
  callWithBody<O extends OperationName>(
    op: O,
    params: Params<O>,
    options: CallOptions = {},
  ): Promise<{ reply: Reply<O>; body: Uint8Array<ArrayBuffer> }> {
    return new Promise((resolve, reject) => {
      const { signal, body } = options;
      if (signal?.aborted) return reject(cancelled(op));
      const id = this.#nextId;
      this.#nextId = (this.#nextId % 0xffff_ffff) + 1;
      const frame = encodeFrame(FrameKind.Request, id, JSON.stringify({ op, params }), body ?? NO_BODY);
      // The first connection is waited for; once it broke, a late click must not take effect minutes after.
      if (this.#state.kind === "connected") this.#transport.send(frame);
      else if (this.#state.kind === "connecting") this.#unsent.push(frame);
      else return reject(disconnected());
      const abort = () => {
        if (!this.#pending.delete(id)) return;
        this.#transport.send(encodeFrame(FrameKind.Cancel, id));
        reject(cancelled(op));
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, {
        resolve: (answer) => {
          signal?.removeEventListener("abort", abort);
          resolve(answer);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      });
    });
  }

  /** The stream that a reply named by its id. Its data may have begun to arrive before the reply was read. */
  stream(id: number): Stream {
    let stream = this.#streams.get(id);
    if (!stream) {
      stream = new Stream(
        id,
        (frame) => this.#transport.send(frame),
        (more) => {
          this.#streams.delete(id);
          if (more) this.#forgotten.add(id);
        },
      );
      this.#streams.set(id, stream);
    }
    return stream;
  }

  /** Listens to what the host pushes; returns how to stop. */
  onEvent(listener: (event: Event) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Connects again now instead of waiting for the next try. */
  retry(): void {
    this.#transport.retry();
  }

  /** The native folder dialog, where the host has the capability `dialogs`; null when none was chosen. */
  async pickFolder(): Promise<string | null> {
    return (await this.#transport.pickFolder?.()) ?? null;
  }

  /** A new file in the person's folder of downloads; undefined where the page makes it by itself. */
  async beginDownload(name: string): Promise<LocalFile | undefined> {
    return this.#transport.beginDownload?.(name);
  }

  #setState(state: ConnectionState): void {
    const before = this.#state.kind;
    this.#state = state;
    if (state.kind === "connected") {
      for (const frame of this.#unsent.splice(0)) this.#transport.send(frame);
    } else if (before === "connected" || state.kind === "unauthorised" || state.kind === "reconnecting") {
      this.#loseAll();
    }
    for (const listener of [...this.#stateListeners]) listener(state);
  }

  #loseAll(): void {
    this.#unsent = [];
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of pending) call.reject(disconnected());
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#forgotten.clear();
    for (const stream of streams) stream.receiveEnd({ kind: "disconnected" });
  }

  #receive(bytes: Uint8Array<ArrayBuffer>): void {
    const frame = decodeFrame(bytes);
    switch (frame.kind) {
      case FrameKind.Reply: {
        const call = this.#pending.get(frame.id);
        if (!call) return;
        this.#pending.delete(frame.id);
        const answer = JSON.parse(frame.json) as { ok: unknown } | { error: ApiError };
        if ("error" in answer) call.reject(new CallError(answer.error));
        else call.resolve({ reply: answer.ok as never, body: frame.body });
        return;
      }
      case FrameKind.Event: {
        const event = JSON.parse(frame.json) as Event;
        for (const listener of [...this.#eventListeners]) listener(event);
        return;
      }
      case FrameKind.StreamData:
        if (!this.#forgotten.has(frame.id)) this.stream(frame.id).receive(frame.body);
        return;
      case FrameKind.StreamCredit:
        this.#streams.get(frame.id)?.addCredit(Number(frame.json));
        return;
      case FrameKind.StreamEnd: {
        if (this.#forgotten.delete(frame.id)) return;
        const stream = this.stream(frame.id);
        this.#streams.delete(frame.id);
        // A stream that ended before its reply was read must still be found by that reply, once.
        if (!stream.claimed) this.#streams.set(frame.id, stream);
        stream.receiveEnd(JSON.parse(frame.json || '{"kind":"finished"}') as StreamEnd);
        return;
      }
      case FrameKind.Request:
      case FrameKind.Cancel:
        return;
    }
  }
}

function cancelled(op: string): CallError {
  return new CallError({ code: "cancelled", message: `${op} was cancelled.` });
}
