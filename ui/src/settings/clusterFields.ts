import { type ClusterSettings } from "@/protocol/generated";

/** What is wrong with a text, or undefined. */
type Check = (text: string) => string | undefined;

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DOTTED_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** An empty text is fine: the field may be left out. */
const optional =
  (check: Check): Check =>
  (text) =>
    text === "" ? undefined : check(text);

export const namespaceProblem: Check = optional((text) =>
  NAME.test(text) && text.length <= 63
    ? undefined
    : "A namespace’s name: small letters, digits and hyphens, at most 63.",
);

/** A name of an object: a secret, a storage class, a service account, a runtime class. */
export const nameProblem: Check = optional((text) =>
  DOTTED_NAME.test(text) && text.length <= 253
    ? undefined
    : "An object’s name: small letters, digits, hyphens and dots.",
);

export const imageProblem: Check = (text) =>
  text === "" || /\s/.test(text)
    ? "An image’s name, for instance registry.example.org/team/dev:1."
    : undefined;

export const optionalImageProblem: Check = optional(imageProblem);

export const resourceProblem: Check = (text) => {
  const [domain, name, ...rest] = text.split("/");
  const fits =
    domain !== undefined &&
    name !== undefined &&
    rest.length === 0 &&
    DOTTED_NAME.test(domain) &&
    LABEL.test(name);
  return fits ? undefined : "A resource’s name, for instance nvidia.com/gpu.";
};

function labelProblem(key: string, value: string): string | undefined {
  const [prefix, name] = key.includes("/") ? key.split("/", 2) : [undefined, key];
  const fits =
    name !== undefined &&
    LABEL.test(name) &&
    name.length <= 63 &&
    (prefix === undefined || DOTTED_NAME.test(prefix)) &&
    key.split("/").length <= 2;
  if (!fits)
    return `“${key}” is no label’s name: at most 63 letters, digits, -, _ and dots, perhaps after a domain and a slash.`;
  if (value !== "" && !(LABEL.test(value) && value.length <= 63))
    return `“${value}” is no label’s value: at most 63 letters, digits, -, _ and dots.`;
  return undefined;
}

/** Lines of the form `key=value` as an object; what is wrong with the first line that is none. */
export function parseLabels(text: string): { value: Record<string, string>; problem?: string } {
  const value: Record<string, string> = {};
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (line === "") continue;
    const at = line.indexOf("=");
    if (at < 0) return { value, problem: `“${line}” is not of the form key=value.` };
    const [key, content] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    const problem = labelProblem(key, content);
    if (problem !== undefined) return { value, problem };
    value[key] = content;
  }
  return { value };
}

export function printLabels(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseJson(text: string): { value?: unknown; problem?: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `This is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}.` };
  }
}

const NOT_TOLERATIONS = 'A list of tolerations: [{ "key": "dedicated", "operator": "Exists" }].';
const NOT_TEMPLATE = "One object, as a pod’s spec holds it: { … }.";

const tolerationsFit = (value: unknown): value is unknown[] => Array.isArray(value) && value.every(isObject);

/** Tolerations as JSON; empty for none. */
export function parseTolerations(text: string): { value: unknown[]; problem?: string } {
  if (text.trim() === "") return { value: [] };
  const { value, problem } = parseJson(text);
  if (problem !== undefined) return { value: [], problem };
  return tolerationsFit(value) ? { value } : { value: [], problem: NOT_TOLERATIONS };
}

/** The patch of the pod's specification as JSON; empty for none. */
export function parseTemplate(text: string): { value?: Record<string, unknown>; problem?: string } {
  if (text.trim() === "") return {};
  const { value, problem } = parseJson(text);
  if (problem !== undefined) return { problem };
  return isObject(value) ? { value } : { problem: NOT_TEMPLATE };
}

export function printJson(value: unknown): string {
  const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
  return empty ? "" : JSON.stringify(value, null, 2);
}

export const STORAGE_GIB = { min: 1, max: 65_536 } as const;

const storageProblem = (value: unknown): string | undefined =>
  typeof value === "number" && Number.isInteger(value) && value >= STORAGE_GIB.min && value <= STORAGE_GIB.max
    ? undefined
    : `A whole number from ${STORAGE_GIB.min} to ${STORAGE_GIB.max}.`;

const textProblem =
  (check: Check) =>
  (value: unknown): string | undefined =>
    typeof value === "string" ? check(value) : "A text in quotes.";

const labelsProblem = (value: unknown): string | undefined => {
  if (!isObject(value)) return "An object of texts.";
  for (const [key, content] of Object.entries(value)) {
    const problem = typeof content === "string" ? labelProblem(key, content) : "An object of texts.";
    if (problem !== undefined) return problem;
  }
  return undefined;
};

const FIELDS: Record<keyof ClusterSettings, (value: unknown) => string | undefined> = {
  enabled: (value) => (typeof value === "boolean" ? undefined : "Either true or false."),
  namespace: textProblem(namespaceProblem),
  base_image: textProblem(imageProblem),
  agent_image: textProblem(optionalImageProblem),
  storage_class: textProblem(nameProblem),
  storage_gib: storageProblem,
  node_selector: labelsProblem,
  tolerations: (value) => (tolerationsFit(value) ? undefined : NOT_TOLERATIONS),
  runtime_class: textProblem(nameProblem),
  pull_secret: textProblem(nameProblem),
  service_account: textProblem(nameProblem),
  labels: labelsProblem,
  gpu_resource: textProblem(resourceProblem),
  pod_template: (value) => (isObject(value) ? undefined : NOT_TEMPLATE),
};

/** What is wrong with the clusters of the settings as JSON: keys that are not known are kept. */
export function clustersProblem(value: unknown): string | undefined {
  if (!isObject(value)) return "An object with a cluster’s settings by the name of its context.";
  for (const [context, cluster] of Object.entries(value)) {
    if (!isObject(cluster)) return `“${context}”: an object with a cluster’s settings.`;
    for (const [key, check] of Object.entries(FIELDS)) {
      const problem = key in cluster ? check(cluster[key]) : undefined;
      if (problem !== undefined) return `“${context}”, “${key}”: ${problem}`;
    }
  }
  return undefined;
}
