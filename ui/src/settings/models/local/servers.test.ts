import { describe, expect, it } from "vitest";
import { type LocalModel, type LocalModelSettings, type LocalServerSettings } from "@/protocol/generated";
import { NO_MODELS } from "../fixture";
import {
  clientWord,
  draftOfModel,
  draftOfServer,
  folderProblem,
  localProblems,
  matchingModels,
  memoryAt,
  modelFacts,
  withFolder,
  withLocal,
  withLocalEnabled,
  withoutFolder,
} from "./servers";

const MODEL: LocalModel = {
  path: "/models/qwen.gguf",
  name: "Qwen2.5 0.5B Instruct",
  format: "gguf",
  bytes: 491_400_032,
  parameters: 494_032_768,
  quantization: "Q4_K_M",
  context_length: 32_768,
  architecture: "qwen2",
};
const server = (id: string, change: Partial<LocalServerSettings> = {}): LocalServerSettings => ({
  id,
  name: `${id}-name`,
  runtime: "llama_cpp",
  model: MODEL.path,
  arguments: [],
  enabled: true,
  ...change,
});
const LOCAL: LocalModelSettings = {
  folders: ["/models"],
  servers: [server("a"), server("b")],
  overcommit: false,
};

it.each([
  ["Qwen2.5 0.5B Instruct", "qwen2.5-0.5b-instruct"],
  ["  «Llama»  3 ", "llama-3"],
  ["模型", "model"],
])("%j is asked for as %s", (name, word) => expect(clientWord(name)).toBe(word));

describe("a model", () => {
  it("is served by what serves its format, under a name that is free", () => {
    const taken = { ...LOCAL, servers: [server("a", { name: "qwen2.5-0.5b-instruct" })] };
    const draft = draftOfModel(MODEL, taken, NO_MODELS, undefined);
    expect(draft).toMatchObject({ name: "qwen2.5-0.5b-instruct-2", runtime: "llama_cpp", model: MODEL.path });
    expect(localProblems(draft, taken, NO_MODELS)).toEqual({});
    expect(draftOfModel({ ...MODEL, format: "safetensors" }, LOCAL, NO_MODELS, undefined).runtime).toBe(
      "vllm",
    );
  });

  it("is told in a few words", () => {
    expect(modelFacts(MODEL)).toEqual(["469 MB", "494M parameters", "32,768 tokens of context", "qwen2"]);
  });

  it("is found by any of its words", () => {
    expect(matchingModels([MODEL], "q4 QWEN")).toEqual([MODEL]);
    expect(matchingModels([MODEL], "q4 llama")).toEqual([]);
    expect(matchingModels([MODEL], " ")).toEqual([MODEL]);
  });

  it("needs more memory with more context", () => {
    const estimate = {
      fit: "memory",
      weights_bytes: 400,
      cache_bytes: 100,
      other_bytes: 50,
      context_length: 1_000,
      sentence: "",
    } as const;
    expect(memoryAt(estimate, 1_000)).toBe(550);
    expect(memoryAt(estimate, 4_000)).toBe(850);
  });
});

describe("a server", () => {
  it("survives being typed", () => {
    const full = server("a", {
      context_length: 8_192,
      parallel: 2,
      gpu_layers: 0,
      idle_minutes: 0,
      arguments: ["--threads", "2"],
    });
    expect(withLocal({ ...LOCAL, servers: [full] }, draftOfServer(full, undefined)).servers).toEqual([full]);
  });

  it("in a container survives being typed, and leaves it", () => {
    const contained = server("a", { container: { engine: "docker", image: "llama:1", gpu: false } });
    const draft = draftOfServer(contained, undefined);
    expect(withLocal({ ...LOCAL, servers: [contained] }, draft).servers).toEqual([contained]);
    const out = withLocal({ ...LOCAL, servers: [contained] }, { ...draft, place: "program" });
    expect(out.servers[0]?.container).toBeUndefined();
  });

  it("of vLLM has no layers on the GPU to count", () => {
    const draft = { ...draftOfServer(server("a"), undefined), runtime: "vllm" as const, gpuLayers: "many" };
    expect(localProblems(draft, LOCAL, NO_MODELS)).toEqual({});
    expect(withLocal(LOCAL, draft).servers[0]?.gpu_layers).toBeUndefined();
  });

  it.each([
    [{ name: "" }, "Give a name"],
    [{ name: "a b" }, "No spaces"],
    [{ name: "a/b" }, "no slashes"],
    [{ name: "b-name" }, "is called so"],
    [{ name: "gateway" }, "is called so"],
    [{ contextLength: "0" }, "A whole number from 1"],
    [{ parallel: "1.5" }, "A whole number from 1 to 1,024"],
    [{ gpuLayers: "-1" }, "A whole number from 0"],
    [{ idleMinutes: "soon" }, "A whole number from 0"],
  ])("%j is refused", (change, why) => {
    const models = { ...NO_MODELS, aliases: [{ name: "gateway", targets: [] }] };
    const problems = localProblems({ ...draftOfServer(server("a"), undefined), ...change }, LOCAL, models);
    expect(Object.values(problems).join()).toContain(why);
  });

  it("is switched off", () => {
    expect(withLocalEnabled(LOCAL, "a", false).servers.map(({ enabled }) => enabled)).toEqual([false, true]);
  });
});

it("folders are whole paths, each once", () => {
  expect(folderProblem("models", LOCAL)).toContain("A whole path");
  expect(folderProblem("/models", LOCAL)).toContain("already");
  expect(folderProblem("~/models", LOCAL)).toBeUndefined();
  expect(withFolder(LOCAL, "/models")).toBe(LOCAL);
  expect(withoutFolder(withFolder(LOCAL, "/b"), "/models").folders).toEqual(["/b"]);
});
