import { type Settings } from "@/protocol/generated";
import { clustersProblem } from "./clusterFields";
import { localModelsProblem, modelsProblem } from "./models/check";

/** What values a setting takes. */
export type Takes =
  | { kind: "number"; min: number; max: number; unit?: string }
  | { kind: "switch" }
  | { kind: "choice"; values: readonly { value: string; label: string }[] }
  | { kind: "text"; check: (text: string) => string | undefined }
  | {
      kind: "object";
      check: (value: unknown) => string | undefined;
      /** What stands in it, by key. */
      fields?: Readonly<Record<string, string>>;
    };

export interface SettingSchema {
  label: string;
  description: string;
  takes: Takes;
  optional?: boolean;
}

const FONT_SIZE = { kind: "number", min: 8, max: 32, unit: "px" } as const;

const MODEL_FIELDS = {
  backends: "Model servers that answer at an address.",
  aliases: "Names of your own that lead to models in an order.",
  first_byte_seconds: "Seconds until an answer begins; then the next server is asked.",
  idle_seconds: "Seconds between two pieces of an answer; then it is ended.",
  queue_seconds:
    "Seconds that a request waits for a place where all its servers are busy; 0 to refuse it at once.",
  limits: "How much may be asked: each, single owners (of), and all together.",
  prices: "What models cost for a million tokens. The first entry that fits counts.",
  currency: "The currency of prices and budgets: three letters, for instance EUR.",
  keep_prompts: "Questions and answers of the last requests are kept in memory, to be looked at.",
  listen_port:
    "Port on this machine’s loopback by which its own programs reach the models; left out for none.",
} as const;

const LOCAL_MODEL_FIELDS = {
  folders: "Folders to look for models in, besides the usual ones.",
  llama_server: "Path of llama-server; left out for the one found.",
  vllm: "Path of a Python that has vLLM, or of a vllm program; left out for the one found.",
  servers: "Model servers that are started here.",
  container:
    "The container that a server runs in: its engine and image, and gpu where it is not to be as usual; left out for a program of this machine.",
  overcommit: "Several may be loaded although together they would not fit in memory.",
} as const;

/** Every setting: the form shows it, and the settings as JSON are completed and checked by it. */
export const SCHEMA: Record<keyof Settings, SettingSchema> = {
  theme: {
    label: "Theme",
    description: "Colours of the whole window.",
    takes: {
      kind: "choice",
      values: [
        { value: "system", label: "As the system" },
        { value: "light", label: "Light" },
        { value: "dark", label: "Dark" },
      ],
    },
  },
  editor_font_size: { label: "Font size", description: "Size of code in the editor.", takes: FONT_SIZE },
  terminal_font_size: { label: "Font size", description: "Size of text in terminals.", takes: FONT_SIZE },
  tab_size: {
    label: "Tab size",
    description: "Spaces a tab stands for, where a file does not show it.",
    takes: { kind: "number", min: 1, max: 16 },
  },
  word_wrap: {
    label: "Wrap long lines",
    description: "Long lines go on below, at the window’s edge.",
    takes: { kind: "switch" },
  },
  autosave_delay_ms: {
    label: "Save by itself after",
    description: "Since the last change; 0 for never. Unsaved text survives a restart either way.",
    takes: { kind: "number", min: 0, max: 3_600_000, unit: "ms" },
  },
  minimap: {
    label: "Show minimap",
    description: "The whole file, small, beside the text.",
    takes: { kind: "switch" },
  },
  network_range: {
    label: "Network range",
    description: "Each workspace’s network takes 16 addresses of it.",
    takes: { kind: "text", check: checkRange },
  },
  default_engine: {
    label: "Engine",
    description: "The engine of new workspaces; left out for the first that is ready.",
    takes: { kind: "text", check: (text) => (text === "" ? "An engine’s id, or leave it out." : undefined) },
    optional: true,
  },
  auto_forward: {
    label: "Forward ports by themselves",
    description:
      "When a program in a workspace starts to listen, its port becomes reachable from this machine.",
    takes: { kind: "switch" },
  },
  base_image_from: {
    label: "Base image is made from",
    description: "An image based on Debian. The base image is built anew for the next workspace.",
    takes: {
      kind: "text",
      check: (text) =>
        text === "" || /\s/.test(text) ? "An image’s name, for instance debian:bookworm." : undefined,
    },
  },
  clusters: {
    label: "Clusters",
    description: "How workspaces are made in a cluster, by the name of its context in the kubeconfig.",
    takes: { kind: "object", check: clustersProblem },
  },
  models: {
    label: "Models",
    description:
      "Model servers (backends), the names that lead to their models (aliases), time limits, limits of use and prices.",
    takes: { kind: "object", check: modelsProblem, fields: MODEL_FIELDS },
  },
  local_models: {
    label: "Models of this machine",
    description: "Model servers that are started here, and the folders that models are looked for in.",
    takes: { kind: "object", check: localModelsProblem, fields: LOCAL_MODEL_FIELDS },
  },
  offline: {
    label: "Offline",
    description:
      "Models, images and clones send nothing off this machine. Workspaces keep their own network.",
    takes: { kind: "switch" },
  },
};

function checkRange(text: string): string | undefined {
  const [, a, b, c, d, bits] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text) ?? [];
  const parts = [a, b, c, d].map(Number);
  const fits =
    bits !== undefined && Number(bits) >= 8 && Number(bits) <= 28 && parts.every((part) => part <= 255);
  return fits ? undefined : "An IPv4 range of at least 16 addresses, for instance 10.213.0.0/16.";
}

/** Why a setting cannot have this value; undefined where it can. */
export function valueProblem({ takes }: SettingSchema, value: unknown): string | undefined {
  switch (takes.kind) {
    case "number":
      return typeof value === "number" && Number.isInteger(value) && value >= takes.min && value <= takes.max
        ? undefined
        : `A whole number from ${takes.min} to ${takes.max}.`;
    case "switch":
      return typeof value === "boolean" ? undefined : "Either true or false.";
    case "choice":
      return takes.values.some((choice) => choice.value === value)
        ? undefined
        : `One of ${takes.values.map((choice) => `"${choice.value}"`).join(", ")}.`;
    case "text":
      return typeof value === "string" ? takes.check(value) : "A text in quotes.";
    case "object":
      return takes.check(value);
  }
}

export interface TextProblem {
  /** The setting concerned; absent where the text as a whole is wrong. */
  key?: string;
  message: string;
  /** Keys that this version does not know are kept, and only pointed out. */
  harmless?: boolean;
}

/** What is wrong with settings written as JSON. */
export function textProblems(text: string): TextProblem[] {
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    return [{ message: error instanceof Error ? error.message : "This is not JSON." }];
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings))
    return [{ message: "The settings are one object: { … }." }];
  const given = settings as Record<string, unknown>;
  const problems: TextProblem[] = [];
  for (const [key, schema] of Object.entries(SCHEMA)) {
    if (!(key in given)) {
      if (schema.optional !== true) problems.push({ key, message: `“${key}” is missing.` });
      continue;
    }
    const problem = valueProblem(schema, given[key]);
    if (problem !== undefined) problems.push({ key, message: `“${key}”: ${problem}` });
  }
  for (const key of Object.keys(given)) {
    if (!(key in SCHEMA))
      problems.push({ key, message: `“${key}” is not known to this version; it is kept.`, harmless: true });
  }
  return problems;
}
