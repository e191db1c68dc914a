import { expect, it } from "vitest";
import { visible } from "./visible";

const shown = (text: string) =>
  visible(text)
    .map((piece) => ("text" in piece ? piece.text : `<${piece.hidden}>`))
    .join("");

it.each([
  ["plain text\n\twith lines", "plain text\n\twith lines"],
  ["", ""],
  ["a\u202eb", "a<U+202E>b"],
  ["\u200bzero\u200d", "<U+200B>zero<U+200D>"],
  ["\u{e0041}tag", "<U+E0041>tag"],
  ["\u001b[31m", "<U+001B>[31m"],
  ["one\r\ntwo\rthree", "one\ntwo<U+000D>three"],
  ["⚠️ and 👩‍💻", "⚠️ and 👩‍💻"],
  ["a\ufe0f", "a<U+FE0F>"],
  ["emoji 🙂 and עברית stay", "emoji 🙂 and עברית stay"],
])("%j is seen as %j", (text, seen) => expect(shown(text)).toBe(seen));
