import { describe, expect, it } from "vitest";
import { type LocalServer, type LocalServerSettings, type UpdateOf } from "@/protocol/generated";
import { firstSentence, isSame, outcome, proseParts, runs, stoppedBy, updateOf } from "./updates";

const LLAMA: UpdateOf = { kind: "program", runtime: "llama_cpp" };
const image = (name: string, engine = "docker"): UpdateOf => ({ kind: "image", engine, image: name });
const server = (id: string, change: Partial<LocalServerSettings> = {}): LocalServerSettings => ({
  id,
  name: `${id}-name`,
  runtime: "llama_cpp",
  model: "/models/a.gguf",
  arguments: [],
  enabled: true,
  ...change,
});
const state = (id: string, phase: LocalServer["phase"]): LocalServer => ({
  id,
  phase,
  since_ms: 0,
  restarts: 0,
});

it("programs are told apart by what they are, images by engine and name", () => {
  expect(isSame(LLAMA, { kind: "program", runtime: "llama_cpp" })).toBe(true);
  expect(isSame(LLAMA, { kind: "program", runtime: "vllm" })).toBe(false);
  expect(isSame(LLAMA, image("llama"))).toBe(false);
  expect(isSame(image("vllm/vllm-openai"), image("docker.io/vllm/vllm-openai:latest"))).toBe(true);
  expect(isSame(image("a"), image("a", "podman"))).toBe(false);
  const update = { of: image("a:1"), phase: { kind: "cancelled" }, since_ms: 0 } as const;
  expect(updateOf([update], image("a:1"))).toBe(update);
  expect(updateOf([update], image("a:2"))).toBeUndefined();
});

it("an update stops the servers in memory that run what is updated, and no others", () => {
  const contained = { container: { engine: "docker", image: "llama:1" } };
  const servers = [
    server("a"),
    server("b"),
    server("c", contained),
    server("d", { runtime: "vllm" }),
    server("e"),
  ];
  const states = [
    state("a", { kind: "ready" }),
    state("b", { kind: "loading" }),
    state("c", { kind: "ready" }),
    state("d", { kind: "ready" }),
    state("e", { kind: "asleep" }),
  ];
  expect(stoppedBy(LLAMA, servers, states)).toEqual(["a-name", "b-name"]);
  expect(stoppedBy(image("llama:1"), servers, states)).toEqual(["c-name"]);
  expect(stoppedBy(image("llama:2"), servers, states)).toEqual([]);
  expect(runs(server("c", contained))).toEqual(image("llama:1"));
});

describe("what an update came to", () => {
  it.each([
    [{ from: "0.11.0", to: "0.11.2" }, true, "Updated: 0.11.0 → 0.11.2", "0.11.0"],
    [{ from: "0.11.2", to: "0.11.2" }, true, "it is up to date: 0.11.2.", undefined],
    [{ to: "b6000" }, true, "it b6000 was installed.", undefined],
    [{}, true, "it was brought up to date.", undefined],
    [{ from: "a1b2", to: "c3d4" }, false, "Updated: a1b2 → c3d4", undefined],
  ])("%j, going back: %j", (versions, goesBack, sentence, back) => {
    expect(outcome("it", versions, goesBack)).toEqual({ sentence, back });
  });
});

it("commands in a sentence can be told from names", () => {
  expect(proseParts("Run `brew upgrade llama.cpp` or see `llama-server`.")).toEqual([
    { text: "Run ", kind: "words" },
    { text: "brew upgrade llama.cpp", kind: "command" },
    { text: " or see ", kind: "words" },
    { text: "llama-server", kind: "code" },
    { text: ".", kind: "words" },
  ]);
});

it.each([
  [
    "vLLM is not found. Install it: `pip install vllm`. Then look again.",
    "vLLM is not found.",
    "Install it: `pip install vllm`. Then look again.",
  ],
  ["llama.cpp is gone; get it anew", "llama.cpp is gone; get it anew", ""],
  ["Run `a. B` first. Then this.", "Run `a. B` first. Then this.", ""],
])("%j begins with one sentence", (text, first, rest) => expect(firstSentence(text)).toEqual([first, rest]));
