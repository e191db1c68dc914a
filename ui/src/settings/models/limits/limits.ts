import { formatCount, formatMoney } from "@/lib/format";
import { type BrokerSettings, type Budget, type KeyLimits } from "@/protocol/generated";

export const NO_LIMITS: KeyLimits = { day: {}, month: {} };

/** Limits as they are typed. */
export interface LimitDraft {
  requests: string;
  tokens: string;
  parallel: string;
  dayTokens: string;
  dayCost: string;
  monthTokens: string;
  monthCost: string;
}

export type LimitField = keyof LimitDraft;

export const LIMIT_FIELDS: readonly { field: LimitField; label: string; money?: true; from: 0 | 1 }[] = [
  { field: "requests", label: "Requests a minute", from: 1 },
  { field: "tokens", label: "Tokens a minute", from: 1 },
  { field: "parallel", label: "Requests at once", from: 1 },
  { field: "dayTokens", label: "Tokens a day", from: 0 },
  { field: "dayCost", label: "Money a day", money: true, from: 0 },
  { field: "monthTokens", label: "Tokens a month", from: 0 },
  { field: "monthCost", label: "Money a month", money: true, from: 0 },
];

const MOST_A_MINUTE = 2 ** 32 - 1;
const FACTORS: Record<string, number> = { "": 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9 };

/** A count as people type it: `2000000`, `2,000,000`, `2M`, `500k`; undefined where it is none. */
export function parseCount(text: string): number | undefined {
  const [, digits = "", suffix = ""] = /^([\d.]+)([kmgb]?)$/i.exec(text.replaceAll(/[\s,_]/g, "")) ?? [];
  const value = Math.round(Number(digits) * (FACTORS[suffix.toLowerCase()] ?? 1) * 1e6) / 1e6;
  return digits !== "" && Number.isSafeInteger(value) ? value : undefined;
}

/** Money as people type it; undefined where it is none. */
export function parseMoney(text: string): number | undefined {
  const value = Number(text.replace(",", "."));
  return text !== "" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

export function draftOfLimits({
  requests_per_minute,
  tokens_per_minute,
  parallel,
  day,
  month,
}: KeyLimits): LimitDraft {
  const text = (value: number | undefined) => value?.toString() ?? "";
  return {
    requests: text(requests_per_minute),
    tokens: text(tokens_per_minute),
    parallel: text(parallel),
    dayTokens: text(day.tokens),
    dayCost: text(day.cost),
    monthTokens: text(month.tokens),
    monthCost: text(month.cost),
  };
}

export function limitProblems(draft: LimitDraft): Partial<Record<LimitField, string>> {
  const problems: Partial<Record<LimitField, string>> = {};
  for (const { field, money, from } of LIMIT_FIELDS) {
    const text = draft[field].trim();
    if (text === "") continue;
    if (money) {
      if (parseMoney(text) === undefined) problems[field] = "An amount, for instance 2.50.";
      continue;
    }
    const count = parseCount(text);
    if (count === undefined || count < from) problems[field] = `A whole number from ${from}.`;
    else if (from === 1 && count > MOST_A_MINUTE)
      problems[field] = "That is too many; leave it empty for no limit.";
  }
  return problems;
}

export function limitsOf(draft: LimitDraft): KeyLimits {
  const count = (field: LimitField) => parseCount(draft[field].trim());
  const money = (field: LimitField) => parseMoney(draft[field].trim());
  return {
    requests_per_minute: count("requests"),
    tokens_per_minute: count("tokens"),
    parallel: count("parallel"),
    day: { tokens: count("dayTokens"), cost: money("dayCost") },
    month: { tokens: count("monthTokens"), cost: money("monthCost") },
  };
}

/** Limits in a few words each; none where there is no limit. */
export function limitWords(limits: KeyLimits, currency: string): string[] {
  const { requests_per_minute, tokens_per_minute, parallel, day, month } = limits;
  const words: string[] = [];
  if (requests_per_minute !== undefined)
    words.push(
      `${formatCount(requests_per_minute)} ${requests_per_minute === 1 ? "request" : "requests"} a minute`,
    );
  if (tokens_per_minute !== undefined) words.push(`${formatCount(tokens_per_minute)} tokens a minute`);
  if (parallel !== undefined) words.push(`${formatCount(parallel)} at once`);
  const budget = ({ tokens, cost }: Budget, span: string) => {
    if (tokens !== undefined) words.push(`${formatCount(tokens)} tokens a ${span}`);
    if (cost !== undefined) words.push(`${formatMoney(cost, currency)} a ${span}`);
  };
  budget(day, "day");
  budget(month, "month");
  return words;
}

/** The part of a budget that is used, from 0 to 1; the most used one of tokens and money counts. */
export function usedPart(
  used: { input_tokens: number; output_tokens: number; cost: number },
  budget: Budget,
): number | undefined {
  const parts: number[] = [];
  if (budget.tokens !== undefined)
    parts.push(budget.tokens === 0 ? 1 : (used.input_tokens + used.output_tokens) / budget.tokens);
  if (budget.cost !== undefined) parts.push(budget.cost === 0 ? 1 : used.cost / budget.cost);
  return parts.length === 0 ? undefined : Math.min(1, Math.max(...parts));
}

/** Whose limits: each one's, all together, or one owner's. */
export type Whose = { kind: "each" } | { kind: "all" } | { kind: "owner"; owner: string };

export function withLimits(models: BrokerSettings, whose: Whose, limits: KeyLimits): BrokerSettings {
  const before = models.limits;
  switch (whose.kind) {
    case "each":
      return { ...models, limits: { ...before, each: limits } };
    case "all":
      return { ...models, limits: { ...before, all: limits } };
    case "owner":
      return { ...models, limits: { ...before, of: { ...before.of, [whose.owner]: limits } } };
  }
}

/** Without limits of its own, an owner has those of each. */
export function withoutOwner(models: BrokerSettings, owner: string): BrokerSettings {
  const of = Object.fromEntries(Object.entries(models.limits.of).filter(([name]) => name !== owner));
  return { ...models, limits: { ...models.limits, of } };
}
