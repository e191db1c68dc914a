import { expect, it } from "vitest";
import { appendLines } from "./logLines";

it("goes on with an unfinished line", () => {
  expect(appendLines(appendLines([], "one\ntw"), "o\nthree\n")).toEqual(["one", "two", "three", ""]);
});

it("leaves out colours", () => {
  expect(appendLines([], "\x1b[31mred\x1b[0m\r\nplain")).toEqual(["red", "plain"]);
});
