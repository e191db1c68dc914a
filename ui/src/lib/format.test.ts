import { expect, it } from "vitest";
import { fuzzyFilter } from "./fuzzy";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatMoney,
  formatRelativeTime,
  formatSpeed,
} from "./format";

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

it.each([
  [812, "812"],
  [9_999, "9,999"],
  [12_345, "12.3K"],
  [4_000_000, "4M"],
])("%d counts read %s", (count, text) => expect(formatCount(count)).toBe(text));

it.each([
  [0, "USD", "$0"],
  [1.2, "USD", "$1.20"],
  [0.00421, "USD", "$0.0042"],
  [3, "EUR", "€3.00"],
  [3, "nonsense", "3.00 nonsense"],
])("%d %s reads %s", (amount, currency, text) => expect(formatMoney(amount, currency)).toBe(text));

it.each([
  [8.44, "8.4"],
  [91.6, "92"],
  [12_345.6, "12.3K"],
])("%d a second read %s", (speed, text) => expect(formatSpeed(speed)).toBe(text));

it.each([
  [0.42, "0.4 ms"],
  [840.4, "840 ms"],
  [999.9, "1.0 s"],
  [12_400, "12 s"],
])("a wait of %d ms reads %s", (ms, text) => expect(formatLatency(ms)).toBe(text));

it("times are told from the present", () => {
  expect(formatRelativeTime(1_000, 20_000)).toBe("just now");
  expect(formatRelativeTime(0, 5 * 60_000)).toBe("5 min. ago");
});

it("fuzzy search prefers word starts and whole runs", () => {
  const names = ["web-api-server", "apiary", "server-pia", "happy"];
  expect(fuzzyFilter(names, "api", (name) => name)[0]).toBe("apiary");
  expect(fuzzyFilter(names, "was", (name) => name)).toEqual(["web-api-server"]);
});
