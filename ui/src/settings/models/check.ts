import { currencyProblem } from "./limits/prices";
import { KINDS, addressProblem } from "./servers";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const wholeFrom =
  (least: number, most: number) =>
  (value: unknown): string | undefined =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : `A whole number from ${least} to ${most}.`;
const numberFrom =
  (least: number) =>
  (value: unknown): string | undefined =>
    typeof value === "number" && Number.isFinite(value) && value >= least
      ? undefined
      : `A number from ${least}.`;
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? undefined : "A text in quotes.";
const yesOrNo = (value: unknown): string | undefined =>
  typeof value === "boolean" ? undefined : "Either true or false.";

const texts = (value: unknown): string | undefined =>
  Array.isArray(value) && value.every((each) => typeof each === "string") ? undefined : "A list of texts.";
const oneOf =
  (values: readonly string[]) =>
  (value: unknown): string | undefined =>
    typeof value === "string" && values.includes(value)
      ? undefined
      : `One of ${values.map((each) => `"${each}"`).join(", ")}.`;
const object =
  (checks: Checks, words = "An object: { … }.") =>
  (value: unknown): string | undefined =>
    isObject(value) ? fieldsProblem(value, checks) : words;

type Checks = Record<string, { check: (value: unknown) => string | undefined; needed?: boolean }>;

const MOST = 2 ** 32 - 1;
export const SECONDS = { min: 1, max: 86_400 } as const;

const BACKEND: Checks = {
  id: { check: text, needed: true },
  name: { check: text, needed: true },
  url: { check: (value) => text(value) ?? addressProblem(value as string), needed: true },
  kind: { check: oneOf(Object.keys(KINDS)) },
  has_key: { check: yesOrNo },
  enabled: { check: yesOrNo },
  max_parallel: { check: wholeFrom(1, MOST) },
};

const TARGET: Checks = {
  backend: { check: text, needed: true },
  model: { check: text, needed: true },
  priority: { check: wholeFrom(0, 255) },
};

const BUDGET = object({
  tokens: { check: wholeFrom(0, Number.MAX_SAFE_INTEGER) },
  cost: { check: numberFrom(0) },
});
const LIMITS = object({
  requests_per_minute: { check: wholeFrom(1, MOST) },
  tokens_per_minute: { check: wholeFrom(1, MOST) },
  parallel: { check: wholeFrom(1, MOST) },
  day: { check: BUDGET },
  month: { check: BUDGET },
});

const PRICE: Checks = {
  backend: { check: text, needed: true },
  model: { check: text, needed: true },
  input: { check: numberFrom(0), needed: true },
  output: { check: numberFrom(0), needed: true },
  cached_input: { check: numberFrom(0) },
};

const CONTAINER: Checks = {
  engine: { check: text, needed: true },
  image: { check: text, needed: true },
  gpu: { check: yesOrNo },
};

const LOCAL_SERVER: Checks = {
  id: { check: text, needed: true },
  name: { check: text, needed: true },
  runtime: { check: oneOf(["llama_cpp", "vllm"]), needed: true },
  container: { check: object(CONTAINER) },
  model: { check: text, needed: true },
  context_length: { check: wholeFrom(1, MOST) },
  parallel: { check: wholeFrom(1, MOST) },
  gpu_layers: { check: wholeFrom(0, MOST) },
  arguments: { check: texts },
  idle_minutes: { check: wholeFrom(0, MOST) },
  enabled: { check: yesOrNo },
};

/** What is wrong with the fields of an object: those that are not known are kept. */
function fieldsProblem(value: Record<string, unknown>, checks: Checks): string | undefined {
  for (const [key, { check, needed }] of Object.entries(checks)) {
    if (!(key in value)) {
      if (needed === true) return `“${key}” is missing.`;
      continue;
    }
    const problem = check(value[key]);
    if (problem !== undefined) return `“${key}”: ${problem}`;
  }
  return undefined;
}

/** What is wrong with a list of objects; the one that is wrong is told by its name or place. */
function listProblem(
  value: unknown,
  what: string,
  check: (each: Record<string, unknown>) => string | undefined,
): string | undefined {
  if (!Array.isArray(value)) return `A list of ${what}s: [ … ].`;
  for (const [index, each] of (value as unknown[]).entries()) {
    if (!isObject(each)) return `${what} ${index + 1}: an object.`;
    const problem = check(each);
    if (problem !== undefined)
      return `${what} ${typeof each.name === "string" ? `“${each.name}”` : index + 1}, ${problem}`;
  }
  return undefined;
}

const aliasProblem = (alias: Record<string, unknown>): string | undefined => {
  const problem = text(alias.name);
  if (problem !== undefined) return `“name”: ${problem}`;
  if (!Array.isArray(alias.targets) || alias.targets.length === 0) return "“targets”: one at least.";
  return listProblem(alias.targets, "target", (target) => fieldsProblem(target, TARGET));
};

/** Limits by owner. */
const ownersProblem = (value: unknown): string | undefined => {
  if (!isObject(value)) return "An object: { … }.";
  for (const [owner, limits] of Object.entries(value)) {
    const problem = LIMITS(limits);
    if (problem !== undefined) return `“${owner}”: ${problem}`;
  }
  return undefined;
};

/** What is wrong with the models of the settings as JSON. What leads nowhere, the host refuses. */
export const modelsProblem = object(
  {
    backends: {
      check: (list) => listProblem(list, "server", (server) => fieldsProblem(server, BACKEND)),
    },
    aliases: { check: (list) => listProblem(list, "name", aliasProblem) },
    first_byte_seconds: { check: wholeFrom(SECONDS.min, SECONDS.max) },
    idle_seconds: { check: wholeFrom(SECONDS.min, SECONDS.max) },
    queue_seconds: { check: wholeFrom(0, SECONDS.max) },
    limits: {
      check: object({ each: { check: LIMITS }, all: { check: LIMITS }, of: { check: ownersProblem } }),
    },
    prices: { check: (list) => listProblem(list, "price", (price) => fieldsProblem(price, PRICE)) },
    currency: {
      check: (value) => (typeof value === "string" ? currencyProblem(value) : "A text in quotes."),
    },
    keep_prompts: { check: yesOrNo },
    listen_port: { check: wholeFrom(1, 65_535) },
  },
  "An object with model servers and names.",
);

/** What is wrong with the models of this machine in the settings as JSON. */
export const localModelsProblem = object({
  folders: { check: texts },
  llama_server: { check: text },
  vllm: { check: text },
  servers: {
    check: (list) => listProblem(list, "server", (server) => fieldsProblem(server, LOCAL_SERVER)),
  },
  overcommit: { check: yesOrNo },
});
