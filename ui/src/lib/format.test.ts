import { expect, it } from "vitest";
import { fuzzyFilter } from "./fuzzy";
import { formatBytes, formatDuration, formatRelativeTime } from "./format";

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_434, "1.4 KB"],
  [312 * 1024 ** 2, "312 MB"],
  [2 * 1024 ** 3, "2 GB"],
])("%d bytes read %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it.each([
  [820, "0.8 s"],
  [12_400, "12 s"],
  [185_000, "3 min 5 s"],
  [7_440_000, "2 h 4 min"],
])("%d ms read %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

it("times are told from the present", () => {
  expect(formatRelativeTime(1_000, 20_000)).toBe("just now");
  expect(formatRelativeTime(0, 5 * 60_000)).toBe("5 min. ago");
});

it("fuzzy search prefers word starts and whole runs", () => {
  const names = ["web-api-server", "apiary", "server-pia", "happy"];
  expect(fuzzyFilter(names, "api", (name) => name)[0]).toBe("apiary");
  expect(fuzzyFilter(names, "was", (name) => name)).toEqual(["web-api-server"]);
});
