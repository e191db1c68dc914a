import { describe, expect, it } from "vitest";
import { MAX_FRAME_LEN } from "@/protocol/generated";
import { decodeFrame, encodeFrame, FrameError, FrameKind } from "./frame";

describe("frames", () => {
  it("come back as sent, text beyond ASCII and bytes included", () => {
    const body = Uint8Array.from([0, 255, 128]);
    const frame = decodeFrame(encodeFrame(FrameKind.StreamData, 0xdead_beef, '{"a":"größe"}', body));
    expect(frame).toEqual({ kind: FrameKind.StreamData, id: 0xdead_beef, json: '{"a":"größe"}', body });
  });

  it("have the layout of crates/protocol/src/frame.rs", () => {
    expect([...encodeFrame(FrameKind.Reply, 7, "{}", Uint8Array.of(9))]).toEqual([
      2, 7, 0, 0, 0, 2, 0, 0, 0, 123, 125, 9,
    ]);
  });

  it("are read from the middle of a larger buffer", () => {
    const bytes = encodeFrame(FrameKind.Event, 0, "[1]");
    const larger = new Uint8Array(bytes.length + 8);
    larger.set(bytes, 4);
    expect(decodeFrame(larger.subarray(4, 4 + bytes.length)).json).toBe("[1]");
  });

  it.each([
    ["cut short", Uint8Array.of(1, 0, 0)],
    ["longer than they are", Uint8Array.of(2, 0, 0, 0, 0, 200, 0, 0, 0, 1)],
    ["of an unknown kind", Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0, 0)],
    ["larger than the limit", new Uint8Array(MAX_FRAME_LEN + 1)],
  ])("that are %s are refused", (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(FrameError);
  });

  it("that would be too large are not made", () => {
    expect(() => encodeFrame(FrameKind.Request, 1, "", new Uint8Array(MAX_FRAME_LEN))).toThrow(FrameError);
  });
});
