import { describe, expect, it } from "vitest";
import { type StreamEnd, type TerminalInfo } from "@/protocol/generated";
import {
  Terminals,
  TerminalSession,
  type TerminalHost,
  type TerminalScreen,
  type TerminalStream,
} from "./terminals";

const INFO: TerminalInfo = { id: 1, title: "sh", columns: 80, rows: 24, busy: false };

/** An agent that keeps all output, and a screen that writes down what it gets. */
function world() {
  let output = "";
  let snapshots = true;
  const attachments: {
    from: number | undefined;
    push: (text: string) => void;
    end: (kind: StreamEnd["kind"]) => void;
    closed: boolean;
  }[] = [];
  const resized: [number, number][] = [];
  const host: TerminalHost = {
    list: () => Promise.resolve([INFO]),
    create: () => Promise.resolve(INFO),
    attach: (_terminal, from) => {
      const whole = from === undefined && snapshots;
      const first = whole ? `<${output}>` : output.slice(from ?? 0);
      let take: ((bytes: Uint8Array, taken: () => void) => void) | undefined;
      let end: ((end: { kind: StreamEnd["kind"] }) => void) | undefined;
      const attachment = {
        from,
        closed: false,
        push: (text: string) => take?.(new TextEncoder().encode(text), () => undefined),
        end: (kind: StreamEnd["kind"]) => end?.({ kind }),
      };
      attachments.push(attachment);
      const stream: TerminalStream = {
        listen: (onData, onEnd) => {
          take = onData;
          end = onEnd;
          if (first !== "") attachment.push(first);
        },
        send: () => undefined,
        close: () => {
          attachment.closed = true;
        },
      };
      const attached = {
        offset: whole ? output.length : (from ?? 0),
        snapshot_len: whole ? first.length : 0,
        columns: 80,
        rows: 24,
      };
      return Promise.resolve({ attached, stream });
    },
    resize: (_terminal, columns, rows) => {
      resized.push([columns, rows]);
      return Promise.resolve();
    },
    rename: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  let shown = "";
  const screen: TerminalScreen = {
    write: (bytes, done) => {
      shown += new TextDecoder().decode(bytes);
      done();
    },
    reset: () => {
      shown = "";
    },
    fit: () => undefined,
    size: () => ({ columns: 100, rows: 30 }),
  };
  const session = new TerminalSession(INFO, host);
  session.setScreen(screen);
  return {
    host,
    session,
    attachments,
    resized,
    shown: () => shown,
    /** The program writes; whoever is attached sees it. */
    write: (text: string) => {
      output += text;
      const last = attachments.at(-1);
      if (last && !last.closed) last.push(text);
    },
    noSnapshots: () => (snapshots = false),
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("a terminal's session", () => {
  it("streams only while it is seen, and goes on by offset", async () => {
    const { session, attachments, shown, write } = world();
    write("one ");
    expect(attachments).toEqual([]);
    session.setVisible(true);
    await settled();
    expect(shown()).toBe("<one >");
    write("two ");
    session.setVisible(false);
    expect(attachments[0]?.closed).toBe(true);
    write("three ");
    session.setVisible(true);
    await settled();
    expect(attachments[1]?.from).toBe("one two ".length);
    expect(shown()).toBe("<one >two three ");
  });

  it("begins with a fresh snapshot after a resync", async () => {
    const { session, attachments, shown, write } = world();
    session.setVisible(true);
    await settled();
    write("old");
    attachments[0]?.end("resync");
    await settled();
    expect(attachments[1]?.from).toBeUndefined();
    expect(shown()).toBe("<old>");
  });

  it("attaches again after the connection came back", async () => {
    const { session, attachments, shown, write } = world();
    session.setVisible(true);
    await settled();
    write("a");
    attachments[0]?.end("failed");
    expect(session.state).toBe("detached");
    session.reconnect();
    await settled();
    expect(session.state).toBe("attached");
    expect(shown()).toBe("<>a");
  });

  it("drops an answer that comes after it was hidden", async () => {
    const { session, attachments, shown } = world();
    session.setVisible(true);
    session.setVisible(false);
    await settled();
    expect(attachments[0]?.closed).toBe(true);
    expect(session.state).toBe("detached");
    expect(shown()).toBe("");
  });

  it("tells its size once the snapshot is on the screen, and again only when it changes", async () => {
    const { session, resized } = world();
    session.setVisible(true);
    await settled();
    expect(resized).toEqual([[100, 30]]);
    session.resize(100, 30);
    expect(resized.length).toBe(1);
    session.resize(90, 30);
    expect(resized.at(-1)).toEqual([90, 30]);
  });

  it("says that typed text goes nowhere while it is detached", async () => {
    const { session } = world();
    expect(session.input(new Uint8Array([97]))).toBe(false);
    session.setVisible(true);
    await settled();
    expect(session.input(new Uint8Array([97]))).toBe(true);
    session.update({ ...INFO, exit: { status: 0 } });
    expect(session.input(new Uint8Array([97]))).toBe(false);
  });
});

describe("a workspace's terminals", () => {
  it("keep one that was just made although an older list comes without it", async () => {
    const terminals = new Terminals(world().host);
    const made = await terminals.create();
    terminals.apply([]);
    expect(terminals.all).toEqual([made]);
    terminals.apply([INFO]);
    terminals.apply([]);
    expect(terminals.all).toEqual([]);
  });
});
