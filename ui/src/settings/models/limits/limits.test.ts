import { expect, it } from "vitest";
import { NO_MODELS } from "../fixture";
import {
  draftOfLimits,
  limitProblems,
  limitsOf,
  limitWords,
  NO_LIMITS,
  parseCount,
  usedPart,
  withLimits,
  withoutOwner,
} from "./limits";

it.each([
  ["2000000", 2_000_000],
  ["2,000,000", 2_000_000],
  ["2 M", 2_000_000],
  ["1.5k", 1_500],
  ["1.0005k", undefined],
  ["", undefined],
  ["-3", undefined],
  ["many", undefined],
])("%j is the count %s", (text, count) => expect(parseCount(text)).toBe(count));

it("limits survive being typed", () => {
  const limits = {
    requests_per_minute: 60,
    tokens_per_minute: 100_000,
    parallel: 4,
    day: { tokens: 0, cost: 2.5 },
    month: { cost: 40 },
  };
  expect(limitsOf(draftOfLimits(limits))).toEqual(limits);
  expect(limitsOf(draftOfLimits(NO_LIMITS))).toEqual(NO_LIMITS);
});

it("what is wrong is told at its field", () => {
  const draft = { ...draftOfLimits(NO_LIMITS), requests: "0", tokens: "5G", dayTokens: "0", dayCost: "x" };
  expect(limitProblems(draft)).toEqual({
    requests: "A whole number from 1.",
    tokens: "That is too many; leave it empty for no limit.",
    dayCost: "An amount, for instance 2.50.",
  });
});

it("limits are told in words", () => {
  expect(limitWords(NO_LIMITS, "USD")).toEqual([]);
  expect(
    limitWords({ requests_per_minute: 1, parallel: 2, day: { tokens: 2e6 }, month: { cost: 40 } }, "EUR"),
  ).toEqual(["1 request a minute", "2 at once", "2M tokens a day", "€40.00 a month"]);
});

it("the budget that is nearest to its end is shown", () => {
  const used = { input_tokens: 300, output_tokens: 200, cost: 9 };
  expect(usedPart(used, {})).toBeUndefined();
  expect(usedPart(used, { tokens: 1_000 })).toBe(0.5);
  expect(usedPart(used, { tokens: 1_000, cost: 10 })).toBe(0.9);
  expect(usedPart(used, { tokens: 100 })).toBe(1);
  expect(usedPart(used, { cost: 0 })).toBe(1);
});

it("an owner's own limits are given and taken, the others' stay", () => {
  const one = withLimits(NO_MODELS, { kind: "owner", owner: "w" }, { ...NO_LIMITS, parallel: 1 });
  const two = withLimits(one, { kind: "each" }, { ...NO_LIMITS, parallel: 2 });
  expect(two.limits).toMatchObject({ each: { parallel: 2 }, of: { w: { parallel: 1 } } });
  expect(withoutOwner(two, "w").limits).toEqual({ ...two.limits, of: {} });
});
