import { describe, expect, it } from "vitest";
import { decode, encode, looksBinary } from "./encoding";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a file's bytes", () => {
  it("come back as they were, with a byte order mark and with CRLF", () => {
    for (const text of ["a\nb\n", "\ufeffa\r\nb\r\n", "", "\ufeff", "ünï\n"]) {
      const before = bytes(text);
      const decoded = decode(before);
      expect(decoded.readOnly).toBeUndefined();
      expect([...encode(decoded.text, decoded.bom)]).toEqual([...before]);
    }
  });

  it("say which line ends they have, and whether they are mixed", () => {
    expect(decode(bytes("a\r\nb\r\n"))).toMatchObject({ eol: "crlf", mixedEol: false });
    expect(decode(bytes("a\nb\r\n"))).toMatchObject({ mixedEol: true });
    expect(decode(bytes("a\rb"))).toMatchObject({ mixedEol: true });
    expect(decode(bytes("no line end"))).toMatchObject({ eol: "lf", mixedEol: false });
  });

  it("are read-only where they could not be written back", () => {
    expect(decode(new Uint8Array([0x61, 0xff, 0x62]))).toMatchObject({
      text: "a\ufffdb",
      readOnly: "invalid_utf8",
    });
    expect(decode(new Uint8Array([0xff, 0xfe, 0x61, 0x00]))).toMatchObject({ text: "a", readOnly: "utf16" });
  });

  it("are binary where a NUL stands near the beginning", () => {
    expect(looksBinary(new Uint8Array([1, 2, 0, 3]))).toBe(true);
    expect(looksBinary(bytes("text"))).toBe(false);
    expect(looksBinary(new Uint8Array([0xff, 0xfe, 0x61, 0x00]))).toBe(false);
  });
});
