import { KINDS, addressProblem } from "./servers";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const wholeFrom =
  (least: number, most: number) =>
  (value: unknown): string | undefined =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : `A whole number from ${least} to ${most}.`;
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? undefined : "A text in quotes.";
const yesOrNo = (value: unknown): string | undefined =>
  typeof value === "boolean" ? undefined : "Either true or false.";

type Checks = Record<string, { check: (value: unknown) => string | undefined; needed?: boolean }>;

const MOST = 2 ** 32 - 1;
export const SECONDS = { min: 1, max: 86_400 } as const;

const BACKEND: Checks = {
  id: { check: text, needed: true },
  name: { check: text, needed: true },
  url: { check: (value) => text(value) ?? addressProblem(value as string), needed: true },
  kind: {
    check: (value) =>
      typeof value === "string" && Object.hasOwn(KINDS, value)
        ? undefined
        : `One of ${Object.keys(KINDS)
            .map((kind) => `"${kind}"`)
            .join(", ")}.`,
  },
  has_key: { check: yesOrNo },
  enabled: { check: yesOrNo },
  max_parallel: { check: wholeFrom(1, MOST) },
};

const TARGET: Checks = {
  backend: { check: text, needed: true },
  model: { check: text, needed: true },
  priority: { check: wholeFrom(0, 255) },
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

/** What is wrong with the models of the settings as JSON. What leads nowhere, the host refuses. */
export function modelsProblem(value: unknown): string | undefined {
  if (!isObject(value)) return "An object with model servers and names.";
  const parts: Checks = {
    backends: {
      check: (list) => listProblem(list, "server", (server) => fieldsProblem(server, BACKEND)),
    },
    aliases: { check: (list) => listProblem(list, "name", aliasProblem) },
    first_byte_seconds: { check: wholeFrom(SECONDS.min, SECONDS.max) },
    idle_seconds: { check: wholeFrom(SECONDS.min, SECONDS.max) },
  };
  return fieldsProblem(value, parts);
}
