import { type BackendKind, type BackendSettings, type BrokerSettings } from "@/protocol/generated";
import { isThisMachine } from "@/state/offline";

/** What kinds of servers there are, the most general last, and where each answers where nobody says otherwise. */
export const KINDS: Record<BackendKind, { label: string; example: string }> = {
  ollama: { label: "Ollama", example: "http://127.0.0.1:11434/v1" },
  llama_cpp: { label: "llama.cpp", example: "http://127.0.0.1:8080/v1" },
  lm_studio: { label: "LM Studio", example: "http://127.0.0.1:1234/v1" },
  vllm: { label: "vLLM", example: "http://127.0.0.1:8000/v1" },
  open_ai: { label: "OpenAI-compatible", example: "https://api.openai.com/v1" },
};

/** What fills in the form in one go. */
export interface Preset {
  label: string;
  name: string;
  url: string;
  kind: BackendKind;
  /** It answers nobody without a key. */
  wantsKey: boolean;
}

const local = (kind: BackendKind, name: string): Preset => ({
  label: KINDS[kind].label,
  name,
  url: KINDS[kind].example,
  kind,
  wantsKey: false,
});

const provider = (label: string, name: string, url: string): Preset => ({
  label,
  name,
  url,
  kind: "open_ai",
  wantsKey: true,
});

export const LOCAL_PRESETS: readonly Preset[] = [
  local("ollama", "ollama"),
  local("llama_cpp", "llama-cpp"),
  local("lm_studio", "lm-studio"),
  local("vllm", "vllm"),
];

export const PROVIDER_PRESETS: readonly Preset[] = [
  provider("OpenAI", "openai", "https://api.openai.com/v1"),
  provider("OpenRouter", "openrouter", "https://openrouter.ai/api/v1"),
  provider("Mistral", "mistral", "https://api.mistral.ai/v1"),
  provider("Groq", "groq", "https://api.groq.com/openai/v1"),
];

/** A server as it is typed. The key is not part of it: it stays in its field until it is sent. */
export interface ServerDraft {
  id: string;
  name: string;
  url: string;
  kind: BackendKind;
  maxParallel: string;
}

export type ServerProblems = Partial<Record<"name" | "url" | "maxParallel", string>>;

const LONGEST_NAME = 60;
const MOST_PARALLEL = 10_000;
const EXAMPLE = KINDS.llama_cpp.example;

/** An id that no server has. It never changes, so it says nothing. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The name, or with a number after it where another server is called so. */
export function freeName(name: string, servers: readonly BackendSettings[]): string {
  const isTaken = (text: string) => servers.some((server) => server.name === text || server.id === text);
  let free = name;
  for (let number = 2; isTaken(free); number += 1) free = `${name}-${number}`;
  return free;
}

export function draftOf(server: BackendSettings): ServerDraft {
  const { id, name, url, kind } = server;
  return { id, name, url, kind, maxParallel: server.max_parallel?.toString() ?? "" };
}

export const emptyDraft = (): ServerDraft => ({
  id: newId(),
  name: "",
  url: "",
  kind: "open_ai",
  maxParallel: "",
});

export function filledIn(
  draft: ServerDraft,
  preset: Preset,
  servers: readonly BackendSettings[],
): ServerDraft {
  return { ...draft, name: freeName(preset.name, servers), url: preset.url, kind: preset.kind };
}

/** Why this cannot be a server's name. It stands before the slash in `name/model`. */
export function nameProblem(
  name: string,
  id: string,
  servers: readonly BackendSettings[],
): string | undefined {
  if (name === "") return "Give it a name.";
  if (/[\s/]/.test(name)) return "No spaces and no slashes: it stands before the slash in name/model.";
  if (name.length > LONGEST_NAME) return `At most ${LONGEST_NAME} characters.`;
  const others = servers.filter((server) => server.id !== id);
  return others.some((server) => server.name === name || server.id === name)
    ? "Another server has this name."
    : undefined;
}

/** Why this cannot be a server's base address. */
export function addressProblem(url: string): string | undefined {
  if (url === "") return `Give its address, for instance ${EXAMPLE}.`;
  if (!/^https?:\/\//i.test(url))
    return `An address begins with http:// or https://, for instance ${EXAMPLE}.`;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || /\s/.test(url)) return `This is no address. One looks like ${EXAMPLE}.`;
  if (parsed.username !== "" || parsed.password !== "")
    return "Leave the password out of the address; the key has a field of its own.";
  if (url.includes("?") || url.includes("#"))
    return "Leave out what follows the path: the address ends before ? and #.";
  if (/\/chat\/completions\/?$/.test(parsed.pathname))
    return "Leave out /chat/completions: the address ends before it.";
  return undefined;
}

function parallelProblem(text: string): string | undefined {
  const number = Number(text);
  const fits = text === "" || (Number.isInteger(number) && number >= 1 && number <= MOST_PARALLEL);
  return fits
    ? undefined
    : `A whole number from 1 to ${MOST_PARALLEL.toLocaleString("en")}, or nothing for no limit.`;
}

export function serverProblems(draft: ServerDraft, servers: readonly BackendSettings[]): ServerProblems {
  const problems = {
    name: nameProblem(draft.name.trim(), draft.id, servers),
    url: addressProblem(draft.url.trim()),
    maxParallel: parallelProblem(draft.maxParallel.trim()),
  };
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem !== undefined));
}

/** What an address means, in words: where requests go. */
export function addressHelp(url: string): string {
  const address = url.trim();
  if (address === "" || addressProblem(address) !== undefined)
    return `It ends before /chat/completions, for instance ${EXAMPLE}.`;
  const base = address.replace(/\/+$/, "");
  const asks = `Requests go to ${base}/chat/completions.`;
  return new URL(address).pathname === "/" ? `${asks} Most servers answer at ${base}/v1.` : asks;
}

/** True where a key would travel readable for everyone on the way. */
export function isReadableOnTheWay(url: string): boolean {
  const address = url.trim();
  if (addressProblem(address) !== undefined) return false;
  return new URL(address).protocol === "http:" && !isThisMachine(address);
}

/** The models' settings with this server as typed: in the place of the one with its id, else as the last. */
export function withServer(models: BrokerSettings, draft: ServerDraft): BrokerSettings {
  const before = models.backends.find(({ id }) => id === draft.id);
  const most = draft.maxParallel.trim();
  const server: BackendSettings = {
    ...(before ?? { has_key: false, enabled: true }),
    id: draft.id,
    name: draft.name.trim(),
    url: draft.url.trim(),
    kind: draft.kind,
    max_parallel: most === "" ? undefined : Number(most),
  };
  const backends = before
    ? models.backends.map((each) => (each === before ? server : each))
    : [...models.backends, server];
  return { ...models, backends };
}

export function withEnabled(models: BrokerSettings, id: string, enabled: boolean): BrokerSettings {
  return {
    ...models,
    backends: models.backends.map((each) => (each.id === id ? { ...each, enabled } : each)),
  };
}
