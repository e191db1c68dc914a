/** How a file's bytes become text and back again without a change that nobody asked for. */

export type Eol = "lf" | "crlf";

export interface DecodedText {
  text: string;
  bom: boolean;
  eol: Eol;
  /** Both kinds of line end occur; a save would write them all alike. */
  mixedEol: boolean;
  /** Set where the text cannot be written back as it was read. */
  readOnly: "invalid_utf8" | "utf16" | undefined;
}

const BINARY_PROBE = 8192;

/** Whether the bytes are no text: a NUL among the first ones, as Git decides it. */
export function looksBinary(bytes: Uint8Array): boolean {
  if (utf16Label(bytes)) return false;
  return bytes.subarray(0, BINARY_PROBE).includes(0);
}

export function decode(bytes: Uint8Array): DecodedText {
  const utf16 = utf16Label(bytes);
  if (utf16) return { ...lines(new TextDecoder(utf16).decode(bytes)), bom: true, readOnly: "utf16" };
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const content = bom ? bytes.subarray(3) : bytes;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    return { ...lines(text), bom, readOnly: undefined };
  } catch {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
    return { ...lines(text), bom, readOnly: "invalid_utf8" };
  }
}

export function encode(text: string, bom: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(bom ? `\ufeff${text}` : text);
  return bytes;
}

function utf16Label(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

function lines(text: string): { text: string; eol: Eol; mixedEol: boolean } {
  let crlf = 0;
  let lf = 0;
  let cr = 0;
  for (let at = text.search(/[\r\n]/); at >= 0 && at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 13) {
      if (text.charCodeAt(at + 1) === 10) {
        crlf += 1;
        at += 1;
      } else cr += 1;
    } else if (code === 10) lf += 1;
  }
  const kinds = Number(crlf > 0) + Number(lf > 0) + Number(cr > 0);
  return { text, eol: crlf > lf ? "crlf" : "lf", mixedEol: kinds > 1 || cr > 0 };
}
