import { expect, it } from "vitest";
import { type BackendSettings, type BackendState, type BrokerSettings } from "@/protocol/generated";
import { NO_MODELS } from "./fixture";
import { abilityFacts, clientName, failureWords, figures, retryWords, stateWord } from "./states";

const state = (id: string, change: Partial<BackendState> = {}): BackendState => ({
  id,
  health: { kind: "ready" },
  models: [{ id: "m", created: 0 }],
  in_flight: 0,
  queued: 0,
  load: {},
  abilities: {},
  ...change,
});
const server = (id: string): BackendSettings => ({
  id,
  name: `${id}-name`,
  url: "http://127.0.0.1:8080/v1",
  kind: "open_ai",
  has_key: false,
  enabled: true,
});

it("says a server's state in a word", () => {
  const failing = state("a", { health: { kind: "failing", why: "refused", retry_in_ms: 1 } });
  const unknown = state("a", { health: { kind: "unknown" } });
  const local = { enabled: true, url: "http://127.0.0.1:8080/v1" };
  const remote = { enabled: true, url: "https://api.openai.com/v1" };
  expect(stateWord(local, state("a"), false, false)).toEqual({ tone: "running", word: "Ready" });
  expect(stateWord(local, failing, true, false)).toEqual({ tone: "failed", word: "Failing" });
  expect(stateWord(local, unknown, false, false).word).toBe("Not asked yet");
  expect(stateWord(local, undefined, true, false).word).toBe("Asking");
  expect(stateWord({ ...local, enabled: false }, state("a"), true, false).word).toBe("Off");
  expect(stateWord(remote, state("a"), false, true).word).toBe("Not used while offline");
  expect(stateWord(local, state("a"), false, true).word).toBe("Ready");
});

it("tells the figures that there are", () => {
  expect(figures(state("a"))).toEqual(["0 in flight"]);
  expect(figures(state("a", { queued: 2 }))).toEqual(["0 in flight", "2 wait for a place"]);
  expect(figures(state("a", { in_flight: 1_200, load: { waiting: 0, kv_cache: 0.034 } }))).toEqual([
    "1,200 in flight",
    "0 waiting",
    "KV cache 3.4 %",
  ]);
  expect(figures(state("a", { health: { kind: "failing", why: "x", retry_in_ms: 0 } }))).toEqual([]);
});

it("tells abilities only where the server does", () => {
  expect(abilityFacts(state("a"))).toEqual([]);
  const abilities = { version: "b42", slots: 4, context_length: 131_072, tools: true, vision: false };
  expect(abilityFacts(state("a", { abilities }))).toEqual([
    ["Version", "b42"],
    ["Requests at once", "4"],
    ["Context", "131,072 tokens"],
    ["Tools", "Yes"],
    ["Pictures", "No"],
  ]);
});

it("counts down to the next look", () => {
  expect(retryWords(8_000, 1_000, 1_000)).toBe("It is asked again in 8.0 s.");
  expect(retryWords(60_000, 1_000, 31_000)).toBe("It is asked again in 30 s.");
  expect(retryWords(8_000, 1_000, 60_000)).toBe("It is asked again now.");
});

it.each([
  ["it answered 401 Unauthorized", false, "It answered 401 Unauthorized. It wants a key: edit it."],
  ["it answered 403 Forbidden", true, "Its key may be wrong"],
  ["it answered 404 Not Found", false, "most end in /v1"],
  ["Connection refused (os error 111)", false, "Start it, or correct its address."],
  ["failed to lookup address information: Name or service not known", false, "this machine is online"],
  ["it did not answer within 5s", false, "It did not answer within 5s."],
])("says what to do about %j", (why, has_key, words) => {
  expect(failureWords(why, { has_key })).toContain(words);
});

it("names a model as clients do: by its own name only where that leads here alone", () => {
  const models: BrokerSettings = {
    ...NO_MODELS,
    backends: [server("a"), server("b")],
    aliases: [{ name: "fast", targets: [{ backend: "a", model: "m", priority: 0 }] }],
  };
  const states = [
    state("a", { models: ["m", "both", "fast", "a-name/x", "org/x"].map((id) => ({ id, created: 0 })) }),
    state("b", { models: [{ id: "both", created: 0 }] }),
  ];
  const name = (model: string) => clientName(model, server("a"), models, states);
  expect(name("m")).toBe("m");
  expect(name("org/x")).toBe("org/x");
  expect(name("both")).toBe("a-name/both");
  expect(name("fast")).toBe("a-name/fast");
  expect(name("a-name/x")).toBe("a-name/a-name/x");
});
