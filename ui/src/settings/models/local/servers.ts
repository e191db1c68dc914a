import { formatBytes, formatCount } from "@/lib/format";
import {
  type BrokerSettings,
  type Fit,
  type FitEstimate,
  type LocalModel,
  type LocalModelSettings,
  type LocalServerSettings,
  type Runtime,
} from "@/protocol/generated";
import { newId } from "../servers";
import { containerOf, imageProblem, type PlaceDraft, placeOf, type Served, usualPlace } from "./containers";

export const RUNTIMES: Record<Runtime, { label: string; program: string }> = {
  llama_cpp: { label: "llama.cpp", program: "llama-server" },
  vllm: { label: "vLLM", program: "vllm" },
};

export const FITS: Record<Fit, { word: string; tone: "running" | "starting" | "failed" }> = {
  gpu: { word: "Fits the GPU", tone: "running" },
  split: { word: "GPU and main memory", tone: "running" },
  memory: { word: "Fits main memory", tone: "running" },
  not_now: { word: "Not now", tone: "starting" },
  never: { word: "Too large", tone: "failed" },
};

/** A server of this machine as it is typed. */
export interface LocalDraft extends PlaceDraft {
  id: string;
  name: string;
  runtime: Runtime;
  model: string;
  contextLength: string;
  parallel: string;
  gpuLayers: string;
  idleMinutes: string;
  /** One a line. */
  arguments: string;
}

export type LocalProblems = Partial<
  Record<"name" | "image" | "contextLength" | "parallel" | "gpuLayers" | "idleMinutes", string>
>;

const LONGEST_NAME = 100;
const MOST = {
  contextLength: 100_000_000,
  parallel: 1_024,
  gpuLayers: 10_000,
  idleMinutes: 100_000,
} as const;

/** A model's name as clients would type it: `Qwen2.5 0.5B Instruct` → `qwen2.5-0.5b-instruct`. */
export function clientWord(name: string): string {
  const word = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._:-]+/g, "-")
    .replaceAll(/^[-.]+|[-.]+$/g, "")
    .slice(0, LONGEST_NAME - 4);
  return word === "" ? "model" : word;
}

/** What may not be given again: names of servers and of models. */
function takenNames(local: LocalModelSettings, models: BrokerSettings, id: string): Set<string> {
  return new Set([
    ...local.servers.filter((server) => server.id !== id).map(({ name }) => name),
    ...models.backends.map(({ name }) => name),
    ...models.aliases.map(({ name }) => name),
  ]);
}

export function draftOfModel(
  model: LocalModel,
  local: LocalModelSettings,
  models: BrokerSettings,
  scan: Served | undefined,
): LocalDraft {
  const id = newId();
  const taken = takenNames(local, models, id);
  const wanted = clientWord(model.name);
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
  const runtime = model.format === "gguf" ? "llama_cpp" : "vllm";
  return {
    ...usualPlace(scan, runtime),
    id,
    name,
    runtime,
    model: model.path,
    contextLength: "",
    parallel: "",
    gpuLayers: "",
    idleMinutes: "",
    arguments: "",
  };
}

export function draftOfServer(server: LocalServerSettings, scan: Served | undefined): LocalDraft {
  const text = (value: number | undefined) => value?.toString() ?? "";
  return {
    ...placeOf(server, scan),
    id: server.id,
    name: server.name,
    runtime: server.runtime,
    model: server.model,
    contextLength: text(server.context_length),
    parallel: text(server.parallel),
    gpuLayers: text(server.gpu_layers),
    idleMinutes: text(server.idle_minutes),
    arguments: server.arguments.join("\n"),
  };
}

function wholeProblem(text: string, least: number, most: number): string | undefined {
  const number = Number(text);
  const fits = text === "" || (Number.isInteger(number) && number >= least && number <= most);
  return fits ? undefined : `A whole number from ${least} to ${most.toLocaleString("en")}, or nothing.`;
}

export function localProblems(
  draft: LocalDraft,
  local: LocalModelSettings,
  models: BrokerSettings,
): LocalProblems {
  const name = draft.name.trim();
  const problems = {
    name:
      name === ""
        ? "Give a name that clients ask for."
        : /[\s/]/.test(name)
          ? "No spaces and no slashes: clients send it as one word."
          : name.length > LONGEST_NAME
            ? `At most ${LONGEST_NAME} characters.`
            : takenNames(local, models, draft.id).has(name)
              ? "Another server or name is called so."
              : undefined,
    image: imageProblem(draft),
    contextLength: wholeProblem(draft.contextLength.trim(), 1, MOST.contextLength),
    parallel: wholeProblem(draft.parallel.trim(), 1, MOST.parallel),
    gpuLayers:
      draft.runtime === "llama_cpp" ? wholeProblem(draft.gpuLayers.trim(), 0, MOST.gpuLayers) : undefined,
    idleMinutes: wholeProblem(draft.idleMinutes.trim(), 0, MOST.idleMinutes),
  };
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem !== undefined));
}

/** With this server as typed: in the place of the one with its id, else as the last. */
export function withLocal(local: LocalModelSettings, draft: LocalDraft): LocalModelSettings {
  const before = local.servers.find(({ id }) => id === draft.id);
  const number = (text: string) => (text.trim() === "" ? undefined : Number(text));
  const server: LocalServerSettings = {
    ...(before ?? { enabled: true }),
    id: draft.id,
    name: draft.name.trim(),
    runtime: draft.runtime,
    container: containerOf(draft),
    model: draft.model,
    context_length: number(draft.contextLength),
    parallel: number(draft.parallel),
    gpu_layers: draft.runtime === "llama_cpp" ? number(draft.gpuLayers) : undefined,
    idle_minutes: number(draft.idleMinutes),
    arguments: draft.arguments
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== ""),
  };
  const servers = before
    ? local.servers.map((each) => (each === before ? server : each))
    : [...local.servers, server];
  return { ...local, servers };
}

export function withLocalEnabled(
  local: LocalModelSettings,
  id: string,
  enabled: boolean,
): LocalModelSettings {
  return { ...local, servers: local.servers.map((each) => (each.id === id ? { ...each, enabled } : each)) };
}

export function withFolder(local: LocalModelSettings, folder: string): LocalModelSettings {
  return local.folders.includes(folder) ? local : { ...local, folders: [...local.folders, folder] };
}

export function withoutFolder(local: LocalModelSettings, folder: string): LocalModelSettings {
  return { ...local, folders: local.folders.filter((each) => each !== folder) };
}

/** Why this cannot be a folder to look in. */
export function folderProblem(text: string, local: LocalModelSettings): string | undefined {
  if (!/^(\/|~\/|[a-z]:[\\/])/i.test(text)) return "A whole path, for instance /home/me/models.";
  return local.folders.includes(text) ? "This folder is looked at already." : undefined;
}

/** What a model is, in a few words each. */
export function modelFacts(model: LocalModel): string[] {
  const facts = [formatBytes(model.bytes)];
  if (model.parameters !== undefined) facts.push(`${formatCount(model.parameters)} parameters`);
  if (model.context_length !== undefined)
    facts.push(`${model.context_length.toLocaleString("en")} tokens of context`);
  if (model.architecture !== undefined) facts.push(model.architecture);
  return facts;
}

/** Memory at another context: the cache grows with it, the rest does not. */
export function memoryAt(estimate: FitEstimate, context: number): number {
  const { weights_bytes, cache_bytes, other_bytes, context_length } = estimate;
  const cache = context_length === 0 ? cache_bytes : (cache_bytes * context) / context_length;
  return weights_bytes + cache + other_bytes;
}

/** Models that have all of the typed words in their name, path or kind. */
export function matchingModels(models: readonly LocalModel[], query: string): LocalModel[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return models.filter((model) => {
    const text =
      `${model.name} ${model.path} ${model.format} ${model.quantization ?? ""} ${model.architecture ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
