import { beforeEach, describe, expect, it, vi } from "vitest";
import { INITIAL_STREAM_CREDIT } from "@/protocol/generated";
import { Client } from "./client";
import { decodeFrame, encodeFrame, FrameKind, type Frame } from "./frame";
import { type Transport, type TransportHandlers } from "./transport";

/** A connection whose other end is the test. */
class Wire implements Transport {
  readonly keysReserved = false;
  sent: Frame[] = [];
  handlers!: TransportHandlers;

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
  }
  send(frame: Uint8Array<ArrayBuffer>): void {
    this.sent.push(decodeFrame(frame));
  }
  retry(): void {
    this.connect();
  }

  connect(): void {
    this.handlers.state({ kind: "connected" });
  }
  lose(): void {
    this.handlers.state({ kind: "reconnecting", attempt: 1, nextAt: 0 });
  }
  reply(id: number, value: unknown, body?: Uint8Array): void {
    this.handlers.frame(encodeFrame(FrameKind.Reply, id, JSON.stringify(value), body));
  }
  data(id: number, length: number): void {
    this.handlers.frame(encodeFrame(FrameKind.StreamData, id, "", new Uint8Array(length)));
  }
  of(kind: FrameKind): Frame[] {
    return this.sent.filter((frame) => frame.kind === kind);
  }
}

let wire: Wire;
let client: Client;

beforeEach(() => {
  wire = new Wire();
  client = new Client(wire);
});

describe("calls", () => {
  it("made before the first connection are sent once it stands", async () => {
    const answer = client.call("workspace.list", {});
    expect(wire.sent).toEqual([]);
    wire.connect();
    const request = wire.sent[0];
    expect(JSON.parse(request?.json ?? "")).toEqual({ op: "workspace.list", params: {} });
    wire.reply(request?.id ?? 0, { ok: [] });
    expect(await answer).toEqual([]);
  });

  it("resolve in any order, each with its own answer and bytes", async () => {
    wire.connect();
    const first = client.call("host.info", {});
    const second = client.callWithBody("draft.get", { workspace: "w", args: { path: "/a" } });
    wire.reply(wire.sent[1]?.id ?? 0, { ok: { path: "/a" } }, Uint8Array.of(1, 2));
    wire.reply(wire.sent[0]?.id ?? 0, { ok: { machine: "m" } });
    expect(await first).toEqual({ machine: "m" });
    expect((await second).body).toEqual(Uint8Array.of(1, 2));
  });

  it("reject with the host's error", async () => {
    wire.connect();
    const call = client.call("engine.list", {});
    wire.reply(wire.sent[0]?.id ?? 0, {
      error: { code: "internal", message: "It broke.", hint: "Mend it." },
    });
    await expect(call).rejects.toMatchObject({ code: "internal", message: "It broke.", hint: "Mend it." });
  });

  it("under way when the connection breaks are rejected, and so are new ones until it is back", async () => {
    wire.connect();
    const under = client.call("host.info", {});
    wire.lose();
    await expect(under).rejects.toMatchObject({ code: "disconnected" });
    await expect(client.call("host.info", {})).rejects.toMatchObject({ code: "disconnected" });
    expect(wire.of(FrameKind.Request)).toHaveLength(1);
  });

  it("that are aborted tell the host", async () => {
    wire.connect();
    const abort = new AbortController();
    const call = client.call("host.info", {}, { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    expect(wire.of(FrameKind.Cancel)[0]?.id).toBe(wire.sent[0]?.id);
  });
});

describe("streams", () => {
  beforeEach(() => wire.connect());

  it("hand over data that came before anyone listened, then the end", async () => {
    wire.data(3, 10);
    wire.handlers.frame(encodeFrame(FrameKind.StreamEnd, 3, '{"kind":"finished"}'));
    const stream = client.stream(3);
    const lengths: number[] = [];
    stream.onData((bytes) => lengths.push(bytes.length));
    expect(await stream.ended).toEqual({ kind: "finished" });
    expect(lengths).toEqual([10]);
  });

  it("return credit for what was consumed, not for what has merely arrived", () => {
    const waiting: (() => void)[] = [];
    client.stream(1).onData((_, consumed) => waiting.push(consumed));
    wire.data(1, INITIAL_STREAM_CREDIT / 2);
    wire.data(1, INITIAL_STREAM_CREDIT / 2);
    expect(wire.of(FrameKind.StreamCredit)).toEqual([]);
    waiting.forEach((consumed) => consumed());
    const returned = wire.of(FrameKind.StreamCredit).reduce((sum, frame) => sum + Number(frame.json), 0);
    expect(returned).toBe(INITIAL_STREAM_CREDIT);
  });

  it("count a piece as consumed once only", () => {
    client.stream(1).onData((_, consumed) => {
      consumed();
      consumed();
    });
    wire.data(1, INITIAL_STREAM_CREDIT);
    expect(wire.of(FrameKind.StreamCredit).map((frame) => frame.json)).toEqual([
      String(INITIAL_STREAM_CREDIT),
    ]);
  });

  it("send no more than the host gave credit for, and go on when it gives more", async () => {
    const done = vi.fn();
    const writing = client
      .stream(2)
      .write(new Uint8Array(INITIAL_STREAM_CREDIT + 100))
      .then(done);
    const sent = () => wire.of(FrameKind.StreamData).reduce((sum, frame) => sum + frame.body.length, 0);
    expect(sent()).toBe(INITIAL_STREAM_CREDIT);
    expect(done).not.toHaveBeenCalled();
    wire.handlers.frame(encodeFrame(FrameKind.StreamCredit, 2, "100"));
    await writing;
    expect(sent()).toBe(INITIAL_STREAM_CREDIT + 100);
  });

  it("end when the connection breaks, and writing then fails", async () => {
    const stream = client.stream(4);
    stream.onData(() => undefined);
    wire.lose();
    expect(await stream.ended).toEqual({ kind: "disconnected" });
    await expect(stream.write(Uint8Array.of(1))).rejects.toThrow("disconnected");
  });

  it("that were closed here ignore what still arrives", () => {
    const listener = vi.fn();
    const stream = client.stream(5);
    stream.onData(listener);
    stream.close();
    wire.data(5, 10);
    wire.handlers.frame(encodeFrame(FrameKind.StreamEnd, 5, '{"kind":"closed"}'));
    expect(listener).not.toHaveBeenCalled();
    expect(wire.of(FrameKind.StreamEnd)[0]?.id).toBe(5);
  });
});
