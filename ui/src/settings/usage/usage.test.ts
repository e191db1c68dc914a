import { describe, expect, it } from "vitest";
import { type RequestEntry, type UsageGroup, type UsageReport, type Workspace } from "@/protocol/generated";
import { byMonth, groupName, NO_USE, ownerName, queryOf, spansOf, speedOf, stacksOf, sum } from "./usage";

const NOW = new Date(2026, 10, 23, 14, 25).getTime();
const day = (year: number, month: number, date: number) => new Date(year, month - 1, date).getTime();

describe("a period", () => {
  it("of a day ends with the present hour", () => {
    const query = queryOf("day", "model", NOW);
    expect(query).toEqual({
      from_ms: new Date(2026, 10, 22, 15).getTime(),
      to_ms: new Date(2026, 10, 23, 15).getTime(),
      by: "model",
      step: "hour",
    });
    expect(queryOf("day", "model", NOW + 60_000)).toEqual(query);
  });

  it.each([
    ["week", day(2026, 11, 17)],
    ["month", day(2026, 10, 25)],
    ["year", day(2025, 12, 1)],
  ] as const)("of a %s begins at a midnight and ends at the next", (period, from_ms) => {
    expect(queryOf(period, "owner", NOW)).toEqual({
      from_ms,
      to_ms: day(2026, 11, 24),
      by: "owner",
      step: "day",
    });
  });
});

const use = (tokens: number, cost = 0) => ({ ...NO_USE, requests: 1, input_tokens: tokens, cost });
const group = (name: string, series: number[], first_ms?: number): UsageGroup => ({
  name,
  sum: sum(series.map((tokens) => use(tokens))),
  series: series.map((tokens) => use(tokens)),
  first_ms,
});
const report = (groups: UsageGroup[], steps: number[]): UsageReport => ({
  currency: "USD",
  steps,
  total: sum(groups.map((each) => each.sum)),
  groups,
  lost: 0,
});

it("days are put together to months", () => {
  const days = [day(2026, 1, 30), day(2026, 1, 31), day(2026, 2, 1)];
  const months = byMonth(report([group("a", [1, 2, 4])], days));
  expect(months.steps).toEqual([day(2026, 1, 1), day(2026, 2, 1)]);
  expect(months.groups[0]?.series.map(({ input_tokens }) => input_tokens)).toEqual([3, 4]);
});

it("the largest groups stand by themselves in a chart, the others together", () => {
  const few = report([group("a", [1, 0]), group("none", [0, 0]), group("b", [0, 5])], [0, 1]);
  expect(stacksOf(few, "tokens")).toEqual([
    { name: "b", values: [0, 5] },
    { name: "a", values: [1, 0] },
  ]);
  const many = report(
    Array.from({ length: 9 }, (_, index) => group(`g${index}`, [10 - index])),
    [0],
  );
  const stacks = stacksOf(many, "tokens");
  expect(stacks.map(({ name }) => name)).toEqual(["g0", "g1", "g2", "g3", "g4", "g5", undefined]);
  expect(stacks.at(-1)?.values).toEqual([4 + 3 + 2]);
});

it("owners and servers are called by name where they have one", () => {
  const workspaces = [{ id: "aaaaaaaaaaaaaaa1", name: "api" } as Workspace];
  expect(ownerName("aaaaaaaaaaaaaaa1", { workspaces })).toBe("api");
  expect(ownerName("bbbbbbbbbbbbbbb2", { workspaces })).toBe("Deleted workspace (bbbbbb…)");
  expect(ownerName("this-machine", { workspaces })).toBe("This machine");
  expect(ownerName("me", { workspaces })).toBe("me");
  const names = { workspaces, backends: [], local: [{ id: "x", name: "qwen" } as never] };
  expect(groupName("x", "backend", names)).toBe("qwen");
  expect(groupName("", "backend", names)).toBe("No server");
  expect(groupName("aaaaaaaaaaaaaaa1", "owner", names)).toBe("api");
});

describe("a request's time", () => {
  const request = (change: Partial<RequestEntry>) =>
    ({ queued_ms: 0, before_ms: 0, total_ms: 0, streamed: true, ...change }) as RequestEntry;

  it("is told in its parts, waiting being a part of what was before", () => {
    expect(spansOf(request({ queued_ms: 40, before_ms: 42, first_ms: 58, total_ms: 400 }))).toEqual([
      { what: "queued", ms: 40 },
      { what: "before", ms: 2 },
      { what: "first", ms: 58 },
      { what: "rest", ms: 300 },
    ]);
    expect(spansOf(request({ before_ms: 3, total_ms: 3 }))).toEqual([{ what: "before", ms: 3 }]);
  });

  it("never adds up to more than all of it", () => {
    const spans = spansOf(request({ queued_ms: 10, before_ms: 200, first_ms: 500, total_ms: 100 }));
    expect(spans.reduce((total, { ms }) => total + ms, 0)).toBe(100);
  });

  it("gives the speed of streams only", () => {
    const timed = { before_ms: 10, first_ms: 90, total_ms: 1_100, output_tokens: 51 };
    expect(speedOf(request(timed))).toBe(50);
    expect(speedOf(request({ ...timed, streamed: false }))).toBeUndefined();
    expect(speedOf(request({ ...timed, output_tokens: 1 }))).toBeUndefined();
  });
});
