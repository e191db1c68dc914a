import { sentence } from "@/client";
import { type Tone } from "@/components/Badge";
import { formatDuration, formatPercent } from "@/lib/format";
import { type BackendSettings, type BackendState, type BrokerSettings } from "@/protocol/generated";
import { isThisMachine } from "@/state/offline";

export interface StateWord {
  tone: Tone;
  word: string;
  moving?: boolean;
}

/** A server's state in a word. Only servers in use have a state. */
export function stateWord(
  { enabled, url }: Pick<BackendSettings, "enabled" | "url">,
  state: BackendState | undefined,
  asking: boolean,
  offline: boolean,
): StateWord {
  if (!enabled) return { tone: "stopped", word: "Off" };
  if (offline && !isThisMachine(url)) return { tone: "stopped", word: "Not used while offline" };
  switch (state?.health.kind) {
    case "ready":
      return { tone: "running", word: "Ready" };
    case "failing":
      return { tone: "failed", word: "Failing" };
    default:
      return asking
        ? { tone: "starting", word: "Asking", moving: true }
        : { tone: "stopped", word: "Not asked yet" };
  }
}

/** How busy a server is, as far as it is known: a few words each. */
export function figures(state: BackendState): string[] {
  const { in_flight, queued, load, health } = state;
  const told: string[] = [];
  if (in_flight > 0 || health.kind === "ready") told.push(`${in_flight.toLocaleString("en")} in flight`);
  if (queued > 0) told.push(`${queued.toLocaleString("en")} wait for a place`);
  if (load.waiting !== undefined) told.push(`${load.waiting.toLocaleString("en")} waiting`);
  if (load.kv_cache !== undefined) told.push(`KV cache ${formatPercent(load.kv_cache * 100)}`);
  return told;
}

/** What a server can do, as far as it says so. */
export function abilityFacts({ abilities }: BackendState): [word: string, value: string][] {
  const yes = (value: boolean) => (value ? "Yes" : "No");
  const facts: [string, string | undefined][] = [
    ["Version", abilities.version],
    ["Requests at once", abilities.slots?.toLocaleString("en")],
    ["Context", abilities.context_length === undefined ? undefined : contextWords(abilities.context_length)],
    ["Tools", abilities.tools === undefined ? undefined : yes(abilities.tools)],
    ["Pictures", abilities.vision === undefined ? undefined : yes(abilities.vision)],
  ];
  return facts.flatMap(([word, value]) => (value === undefined ? [] : [[word, value]]));
}

export function contextWords(tokens: number): string {
  return `${tokens.toLocaleString("en")} tokens`;
}

/** When a failing server is asked again, counted from when the host said so. */
export function retryWords(retryInMs: number, saidAt: number, now: number): string {
  const left = Math.round((saidAt + retryInMs - now) / 1000);
  return left < 1 ? "It is asked again now." : `It is asked again in ${formatDuration(left * 1000)}.`;
}

/** Why a server fails, and what to do about it where that is plain. */
export function failureWords(why: string, server: Pick<BackendSettings, "has_key">): string {
  const told = sentence(why);
  if (/\b(401|403)\b/.test(why))
    return `${told} ${server.has_key ? "Its key may be wrong or have run out: edit it." : "It wants a key: edit it."}`;
  if (/\b404\b/.test(why)) return `${told} Its address may be wrong: most end in /v1.`;
  if (/refused/i.test(why)) return `${told} Start it, or correct its address.`;
  if (/resolve|dns|lookup|name or service/i.test(why))
    return `${told} See that its address is right, and that this machine is online.`;
  return told;
}

/**
 * The name by which clients ask for a model: its own where that leads to this server alone, else with the server's
 * before a slash.
 */
export function clientName(
  model: string,
  server: BackendSettings,
  models: BrokerSettings,
  states: readonly BackendState[],
): string {
  const full = `${server.name}/${model}`;
  const others = states.filter(({ id }) => id !== server.id);
  const isElsewhere = others.some((state) => state.models.some(({ id }) => id === model));
  const isName = models.aliases.some(({ name }) => name === model);
  // What stands before a slash is taken for a server's name first.
  const [before] = model.split("/", 1);
  const isServer =
    model.includes("/") && models.backends.some(({ id, name }) => name === before || id === before);
  return isElsewhere || isName || isServer ? full : model;
}
