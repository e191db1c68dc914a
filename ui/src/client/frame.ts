// The mirror of crates/protocol/src/frame.rs: the bytes between the UI and the cockpit.
import { HEADER_LEN, MAX_FRAME_LEN } from "@/protocol/generated";

export const FrameKind = {
  Request: 1,
  Reply: 2,
  Event: 3,
  StreamData: 4,
  StreamCredit: 5,
  StreamEnd: 6,
  Cancel: 7,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** A frame's parts; `body` shares the memory of the message it came in. */
export interface Frame {
  kind: FrameKind;
  /** Request or stream id. */
  id: number;
  /** JSON text, empty where the kind has none. */
  json: string;
  body: Uint8Array<ArrayBuffer>;
}

export class FrameError extends Error {
  override name = "FrameError";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
export const NO_BODY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

export function encodeFrame(
  kind: FrameKind,
  id: number,
  json = "",
  body: Uint8Array = NO_BODY,
): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(json);
  const length = HEADER_LEN + text.length + body.length;
  if (length > MAX_FRAME_LEN) {
    throw new FrameError(`a frame of ${length} bytes is over the limit of ${MAX_FRAME_LEN}`);
  }
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  out[0] = kind;
  view.setUint32(1, id, true);
  view.setUint32(5, text.length, true);
  out.set(text, HEADER_LEN);
  out.set(body, HEADER_LEN + text.length);
  return out;
}

export function decodeFrame(bytes: Uint8Array<ArrayBuffer>): Frame {
  if (bytes.length > MAX_FRAME_LEN) {
    throw new FrameError(`a frame of ${bytes.length} bytes is over the limit of ${MAX_FRAME_LEN}`);
  }
  if (bytes.length < HEADER_LEN) {
    throw new FrameError(`a frame of ${bytes.length} bytes is cut short`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint8(0);
  if (kind < FrameKind.Request || kind > FrameKind.Cancel) {
    throw new FrameError(`unknown frame kind ${kind}`);
  }
  const bodyStart = HEADER_LEN + view.getUint32(5, true);
  if (bodyStart > bytes.length) {
    throw new FrameError(`a frame of ${bytes.length} bytes is cut short`);
  }
  return {
    kind: kind as FrameKind,
    id: view.getUint32(1, true),
    json: decoder.decode(bytes.subarray(HEADER_LEN, bodyStart)),
    body: bytes.subarray(bodyStart),
  };
}
