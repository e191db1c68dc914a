import { type Tone } from "@/components/Badge";
import { formatCount, formatMoney } from "@/lib/format";
import {
  type BackendSettings,
  type LocalServerSettings,
  type RequestEntry,
  type RequestEnd,
  type UsageBy,
  type UsageGroup,
  type UsageQuery,
  type UsageReport,
  type UsageSum,
  type Workspace,
} from "@/protocol/generated";

export type Period = "day" | "week" | "month" | "year";
export type Measure = "tokens" | "requests" | "cost";

export const PERIODS: readonly { value: Period; label: string }[] = [
  { value: "day", label: "24 hours" },
  { value: "week", label: "7 days" },
  { value: "month", label: "30 days" },
  { value: "year", label: "12 months" },
];

export const BY: readonly { value: UsageBy; label: string; what: string }[] = [
  { value: "model", label: "By model", what: "Model" },
  { value: "backend", label: "By server", what: "Server" },
  { value: "owner", label: "By workspace", what: "Workspace" },
];

export const MEASURES: readonly { value: Measure; label: string }[] = [
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
  { value: "cost", label: "Cost" },
];

const HOUR = 3_600_000;

/** What is asked for a period that ends with the hour or the day of `now`. The same throughout that hour or day. */
export function queryOf(period: Period, by: UsageBy, now: number): UsageQuery {
  if (period === "day") {
    const to_ms = (Math.floor(now / HOUR) + 1) * HOUR;
    return { from_ms: to_ms - 24 * HOUR, to_ms, by, step: "hour" };
  }
  const to = new Date(now);
  to.setHours(0, 0, 0, 0);
  to.setDate(to.getDate() + 1);
  const from = new Date(to);
  if (period === "week") from.setDate(from.getDate() - 7);
  if (period === "month") from.setDate(from.getDate() - 30);
  if (period === "year") {
    // Whole months, the present one being the last.
    from.setDate(from.getDate() - 1);
    from.setDate(1);
    from.setMonth(from.getMonth() - 11);
  }
  return { from_ms: from.getTime(), to_ms: to.getTime(), by, step: "day" };
}

export const NO_USE: UsageSum = {
  requests: 0,
  failed: 0,
  refused: 0,
  cancelled: 0,
  input_tokens: 0,
  output_tokens: 0,
  cost: 0,
};

export function sum(parts: readonly UsageSum[]): UsageSum {
  const total = { ...NO_USE };
  for (const part of parts)
    for (const key of Object.keys(total) as (keyof UsageSum)[]) total[key] += part[key];
  return total;
}

/** A report whose days are put together to months. */
export function byMonth(report: UsageReport): UsageReport {
  const starts: number[] = [];
  const places = report.steps.map((at) => {
    const day = new Date(at);
    const start = new Date(day.getFullYear(), day.getMonth()).getTime();
    if (starts.at(-1) !== start) starts.push(start);
    return starts.length - 1;
  });
  const groups = report.groups.map((group) => ({
    ...group,
    series: starts.map((_, month) => sum(group.series.filter((_day, index) => places[index] === month))),
  }));
  return { ...report, steps: starts, groups };
}

export function valueOf({ input_tokens, output_tokens, requests, cost }: UsageSum, measure: Measure): number {
  if (measure === "tokens") return input_tokens + output_tokens;
  return measure === "requests" ? requests : cost;
}

export function valueWords(value: number, measure: Measure, currency: string): string {
  return measure === "cost" ? formatMoney(value, currency) : formatCount(value);
}

/** A stack of the chart. */
export interface Stack {
  /** The group's name; absent for all the others together. */
  name: string | undefined;
  values: number[];
}

/** Stacks that a chart can show apart by colour. */
const MOST_STACKS = 6;

/** The largest groups by themselves, and the others as one. */
export function stacksOf(report: UsageReport, measure: Measure): Stack[] {
  const ranked = report.groups
    .map((group) => ({ group, total: valueOf(group.sum, measure) }))
    .filter(({ total }) => total > 0)
    .toSorted((a, b) => b.total - a.total);
  const shown = ranked.length > MOST_STACKS + 1 ? ranked.slice(0, MOST_STACKS) : ranked;
  const values = ({ group }: { group: UsageGroup }) => group.series.map((step) => valueOf(step, measure));
  const stacks: Stack[] = shown.map((entry) => ({ name: entry.group.name, values: values(entry) }));
  const others = ranked.slice(shown.length).map(values);
  if (others.length > 0)
    stacks.push({
      name: undefined,
      values: report.steps.map((_, step) => others.reduce((total, each) => total + (each[step] ?? 0), 0)),
    });
  return stacks;
}

/** When a step begins, short: an hour, a day, or a month. */
export function stepWords(at: number, period: Period): string {
  const day = new Date(at);
  if (period === "day")
    return day.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (period === "year") return day.toLocaleDateString("en", { month: "short", year: "numeric" });
  return day.toLocaleDateString("en", { day: "numeric", month: "short" });
}

/** How a request ended, in a word. */
export function endWord(end: RequestEnd): { tone: Tone; word: string } {
  switch (end) {
    case "complete":
      return { tone: "running", word: "Complete" };
    case "refused":
      return { tone: "starting", word: "Refused" };
    case "failed":
      return { tone: "failed", word: "Failed" };
    case "cut":
      return { tone: "failed", word: "Cut off" };
    case "stalled":
      return { tone: "failed", word: "Stalled" };
    case "told_error":
      return { tone: "failed", word: "Told an error" };
    case "cancelled":
      return { tone: "stopped", word: "Cancelled" };
  }
}

/** What the word means: a sentence. */
export const END_SENTENCES: Record<RequestEnd, string> = {
  complete: "The answer went out whole.",
  refused: "It was refused: by a limit, or because the request was not right.",
  failed: "No server gave an answer.",
  cut: "The server ended the answer before it was whole.",
  stalled: "The server sent nothing for too long, in the middle of the answer.",
  told_error: "The server told of an error in the middle of the answer.",
  cancelled: "The client went away before the end.",
};

/** Names for owners of keys and for servers, as far as they are known. */
export interface Names {
  workspaces: readonly Workspace[];
  backends: readonly BackendSettings[];
  local: readonly LocalServerSettings[];
}

/** Owners that are no workspaces. */
const OWNERS: Record<string, string> = { "this-machine": "This machine", try: "Tried in AiCockpit" };

/** Whose key it is, for people: a workspace's name, or the key's own. */
export function ownerName(owner: string, { workspaces }: Pick<Names, "workspaces">): string {
  const workspace = workspaces.find(({ id }) => id === owner);
  if (workspace) return workspace.name;
  return /^[a-z0-9]{16}$/.test(owner)
    ? `Deleted workspace (${owner.slice(0, 6)}…)`
    : (OWNERS[owner] ?? owner);
}

export function serverName(id: string, { backends, local }: Pick<Names, "backends" | "local">): string {
  return [...backends, ...local].find((server) => server.id === id)?.name ?? id;
}

export function groupName(name: string, by: UsageBy, names: Names): string {
  if (name === "") return by === "backend" ? "No server" : "Not named";
  if (by === "owner") return ownerName(name, names);
  return by === "backend" ? serverName(name, names) : name;
}

/** A part of a request's time. */
export interface Span {
  what: "queued" | "before" | "first" | "rest";
  ms: number;
}

/** Where a request's time went, in its order. What could not be measured is left out. */
export function spansOf({ queued_ms, before_ms, first_ms, total_ms }: RequestEntry): Span[] {
  const queued = Math.min(queued_ms, total_ms);
  const before = Math.max(0, Math.min(before_ms, total_ms) - queued);
  const first = Math.max(0, Math.min(first_ms ?? 0, total_ms - queued - before));
  const rest = Math.max(0, total_ms - queued - before - first);
  const spans: Span[] = [
    { what: "queued", ms: queued },
    { what: "before", ms: before },
    { what: "first", ms: first },
    { what: "rest", ms: rest },
  ];
  return spans.filter(({ ms }) => ms > 0);
}

/** Tokens of answers a second, from the first piece to the end; undefined where that cannot be told. */
export function speedOf({
  before_ms,
  first_ms,
  total_ms,
  output_tokens,
  streamed,
}: RequestEntry): number | undefined {
  if (!streamed || first_ms === undefined || output_tokens === undefined || output_tokens < 2)
    return undefined;
  const ms = total_ms - before_ms - first_ms;
  return ms > 0 ? (output_tokens - 1) / (ms / 1_000) : undefined;
}
