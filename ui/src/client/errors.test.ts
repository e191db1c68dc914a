import { expect, test } from "vitest";
import { CallError, sentence } from "./errors";

test.each([
  ["cannot list /srv: permission denied", "Cannot list /srv: permission denied."],
  ["It ended.", "It ended."],
  ["/srv/a is a folder", "/srv/a is a folder."],
  ["libfoo.so: no such file", "libfoo.so: no such file."],
  ["Is it there?", "Is it there?"],
])("%s reads as a sentence", (text, expected) => {
  expect(sentence(text)).toBe(expected);
});

test("an error's message is a sentence", () => {
  expect(new CallError({ code: "not_found", message: "no such workspace" }).message).toBe(
    "No such workspace.",
  );
});
