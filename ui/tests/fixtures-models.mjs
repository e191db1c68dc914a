// Fixture data of models on this machine, and of what models were used for.
const GB = 1024 ** 3;
const HOUR = 3_600_000;

const LONG_PATH =
  "/home/maria/.cache/huggingface/hub/models--Qwen--Qwen3-4B-GGUF/snapshots/bc640142c66e1fdd12af0bd68f40445458f3869b/Qwen3-4B-Q4_K_M.gguf";

const estimate = (fit, weights, context_length, sentence) => ({
  fit,
  weights_bytes: weights * GB,
  cache_bytes: 0.6 * GB,
  other_bytes: 0.3 * GB,
  context_length,
  sentence,
});

const found = [
  {
    path: LONG_PATH,
    name: "Qwen3 4B",
    format: "gguf",
    bytes: 2.5 * GB,
    architecture: "qwen3",
    parameters: 4_020_000_000,
    quantization: "Q4_K_M",
    context_length: 40_960,
    chat: { tools: true, thinking: true },
    estimate: estimate("gpu", 2.5, 40_960, "fits the GPU: about 3.4 GB of 22 GB free"),
  },
  {
    path: "/home/maria/models/smollm2-135m.gguf",
    name: "SmolLM2 135M Instruct",
    format: "gguf",
    bytes: 0.1 * GB,
    architecture: "llama",
    parameters: 134_515_008,
    quantization: "Q4_K_M",
    context_length: 8_192,
    chat: { tools: false, thinking: false },
    estimate: estimate("memory", 0.1, 8_192, "fits in main memory: about 0.4 GB of 7.1 GB free"),
  },
  {
    path: "/home/maria/models/nomic-embed-text-v1.5.f16.gguf",
    name: "nomic-embed-text v1.5",
    format: "gguf",
    bytes: 0.26 * GB,
    architecture: "nomic-bert",
    quantization: "F16",
    context_length: 2_048,
    estimate: estimate("memory", 0.26, 2_048, "fits in main memory: about 0.5 GB of 7.1 GB free"),
  },
  {
    path: "/srv/models/gpt-oss-120b",
    name: "gpt-oss 120B",
    format: "safetensors",
    bytes: 61 * GB,
    architecture: "gpt_oss",
    parameters: 116_800_000_000,
    context_length: 131_072,
    chat: { tools: true, thinking: false },
    estimate: estimate("never", 61, 131_072, "needs about 65 GB; this machine has 31 GB in all"),
  },
  {
    path: "/home/maria/models/cut-off.gguf",
    name: "cut-off",
    format: "gguf",
    bytes: 1_234_567,
    problem: "the file ends in the middle: copy it anew",
  },
];

const llama = (change = {}) => ({
  runtime: "llama_cpp",
  path: "/usr/local/bin/llama-server",
  version: "b6890",
  update: { kind: "here", versions: false },
  ...change,
});
const vllm = (change = {}) => ({
  runtime: "vllm",
  path: "/home/maria/venvs/vllm/bin/python",
  version: "0.11.0",
  update: {
    kind: "by_hand",
    how: "It is the system’s package: run `sudo apt update && sudo apt install --only-upgrade python3-vllm`, then look again.",
  },
  ...change,
});
const NO_LLAMA = {
  problem:
    "llama-server is not found. Install llama.cpp with the system’s packages (`brew install llama.cpp`, or `apt install llama.cpp` where it is packaged), or unpack a release from https://github.com/ggml-org/llama.cpp/releases; without a network, copy the unpacked folder here. Then name the path of llama-server in the settings if it is not on PATH.",
  path: undefined,
  version: undefined,
  update: undefined,
};
const NO_VLLM = {
  problem:
    "vLLM is not found. Install it in a Python environment of its own (`python3 -m venv ~/venv && ~/venv/bin/pip install vllm`). Then name the path of its Python in the settings if it is not in ~/venv or ~/.venv.",
  path: undefined,
  version: undefined,
  update: undefined,
};

const LLAMA_IMAGE = "ghcr.io/ggml-org/llama.cpp:server-cuda";
const engines = (has) => [
  {
    engine: "docker",
    name: "Docker",
    gpu: true,
    images: [
      { image: LLAMA_IMAGE, runtime: "llama_cpp", ...(has ? { bytes: 2.4 * GB } : {}) },
      { image: "ghcr.io/ggml-org/llama.cpp:server", runtime: "llama_cpp" },
      { image: "docker.io/vllm/vllm-openai:latest", runtime: "vllm" },
    ],
  },
  {
    engine: "podman-rootless",
    name: "Podman (rootless)",
    gpu: false,
    images: [],
    problem: "Podman does not answer: start it with `systemctl --user start podman.socket`.",
  },
];

const server = (id, name, model, change = {}) => ({
  id,
  name,
  runtime: "llama_cpp",
  model,
  arguments: [],
  enabled: true,
  ...change,
});
const SERVERS = [
  server("l1", "qwen3-4b", LONG_PATH),
  server("l2", "smollm2", "/home/maria/models/smollm2-135m.gguf", {
    container: { engine: "docker", image: LLAMA_IMAGE },
  }),
  server(
    "l3",
    "embeddings-of-the-whole-company-knowledge-base",
    "/home/maria/models/nomic-embed-text-v1.5.f16.gguf",
    {
      container: {
        engine: "docker",
        image:
          "registry.payments.internal.example.org:5000/platform/ai/llama-server-with-our-certificates:2026-11-stable",
      },
    },
  ),
  server("l4", "gpt-oss", "/srv/models/gpt-oss-120b", { runtime: "vllm" }),
  server("l5", "old", "/home/maria/models/smollm2-135m.gguf", { enabled: false }),
];

const states = (now) => [
  {
    id: "l1",
    phase: { kind: "ready" },
    since_ms: now - HOUR,
    pid: 4_711,
    memory_bytes: 3.4 * GB,
    idle_in_ms: 12 * 60_000,
    restarts: 0,
  },
  {
    id: "l2",
    phase: { kind: "ready" },
    since_ms: now - HOUR,
    pid: 4_712,
    container: "aicockpit-model-l2",
    memory_bytes: 0.4 * GB,
    idle_in_ms: 42_000,
    restarts: 2,
  },
  {
    id: "l3",
    phase: { kind: "loading", progress: 0.42, step: "Pulling the image: 812 MB of 1.9 GB" },
    since_ms: now,
    restarts: 0,
  },
  {
    id: "l4",
    phase: {
      kind: "failed",
      why: "gpt-oss needs about 65 GB, and this machine has 31 GB in all: choose a smaller model, or one with fewer bits",
    },
    since_ms: now,
    restarts: 0,
  },
  { id: "l5", phase: { kind: "asleep" }, since_ms: now, restarts: 0 },
];

const hardware = {
  memory_bytes: 31 * GB,
  available_bytes: 7.1 * GB,
  gpus: [{ name: "NVIDIA GeForce RTX 4090", total_bytes: 24 * GB, free_bytes: 22 * GB }],
};
const folders = ["/home/maria/.cache/huggingface/hub", "/home/maria/models"];

/** Models of this machine in every state. */
export const LOCAL = {
  settings: { folders: ["/home/maria/models"], servers: SERVERS, overcommit: false },
  aliases: [
    {
      name: "fast",
      targets: [
        { backend: "l1", model: "qwen3-4b", priority: 0 },
        { backend: "l2", model: "smollm2", priority: 1 },
      ],
    },
    { name: "tiny", targets: [{ backend: "l2", model: "smollm2", priority: 0 }] },
  ],
  scan: {
    models: found,
    folders,
    unreadable: [],
    runtimes: [llama(), vllm()],
    engines: engines(true),
    hardware,
  },
  states,
};

/** The same, with updates in every state. */
export const UPDATES = (now) => [
  {
    of: { kind: "program", runtime: "llama_cpp" },
    phase: { kind: "running", progress: 0.3, step: "Fetching llama-b6912-bin-ubuntu-x64.zip" },
    since_ms: now,
  },
  {
    of: { kind: "program", runtime: "vllm" },
    phase: { kind: "done", from: "0.11.0", to: "0.11.2" },
    since_ms: now,
  },
  {
    of: { kind: "image", engine: "docker", image: LLAMA_IMAGE },
    phase: { kind: "failed", why: "the registry ghcr.io does not answer: see that this machine is online" },
    since_ms: now,
  },
];
export const UPDATED_SCAN = {
  ...LOCAL.scan,
  runtimes: [llama(), vllm({ version: "0.11.2", update: { kind: "here", versions: true } })],
};

/** Neither models nor programs, and an engine. */
export const NO_LOCAL = {
  scan: {
    models: [],
    folders: [],
    unreadable: [],
    runtimes: [llama(NO_LLAMA), vllm(NO_VLLM)],
    engines: engines(false).slice(0, 1),
    hardware: { ...hardware, gpus: [] },
  },
};

/** Models, and no program. */
export const NO_PROGRAM = { scan: { ...NO_LOCAL.scan, models: found, folders } };

const sum = (requests, input_tokens, output_tokens, cost, change = {}) => ({
  requests,
  failed: 0,
  refused: 0,
  cancelled: 0,
  input_tokens,
  output_tokens,
  cost,
  ...change,
});

/** What models were used for within a day. */
export function usage({ from_ms, to_ms, step }) {
  const width = step === "hour" ? HOUR : 24 * HOUR;
  const steps = Array.from(
    { length: Math.round((to_ms - from_ms) / width) },
    (_, at) => from_ms + at * width,
  );
  const group = (name, scale, first_ms, tokens_per_second) => {
    const series = steps.map((_, at) => {
      const wave = Math.max(0, Math.round(scale * (1 + Math.sin(at / 3 + scale))));
      return sum(wave, wave * 1_200, wave * 310, wave * 0.004);
    });
    const total = (key) => series.reduce((all, each) => all + each[key], 0);
    return {
      name,
      series,
      sum: sum(total("requests"), total("input_tokens"), total("output_tokens"), total("cost"), {
        failed: scale > 10 ? 3 : 0,
      }),
      first_ms,
      tokens_per_second,
    };
  };
  const groups = [
    group("qwen3-4b", 14, 84, 61.2),
    group("gpt-4o-mini", 6, 412, 92.4),
    group("the-model-with-a-very-long-name-that-somebody-gave-it-in-a-hurry/instruct-2026-11", 2, 1_320, 8.1),
  ];
  const total = (key) => groups.reduce((all, each) => all + each.sum[key], 0);
  return {
    currency: "USD",
    other_currencies: ["EUR"],
    steps,
    total: sum(total("requests"), total("input_tokens"), total("output_tokens"), total("cost"), {
      failed: 3,
      refused: 12,
      cancelled: 4,
    }),
    first_ms: 121,
    tokens_per_second: 54.7,
    groups,
    lost: 0,
  };
}

/** Single requests. */
export const requests = (now) =>
  Array.from({ length: 40 }, (_, at) => ({
    id: 100 - at,
    request: `request-${at}`,
    at_ms: now - at * 97_000,
    owner: at % 3 === 0 ? "aaaaaaaaaaaaaaa1" : "this-machine",
    endpoint: "chat/completions",
    model: at % 4 === 0 ? "gpt-4o-mini" : "qwen3-4b",
    backend: at % 4 === 0 ? "m3" : "l1",
    backend_model: at % 4 === 0 ? "gpt-4o-mini" : "qwen3-4b",
    attempts: 1,
    streamed: at % 2 === 0,
    status: at === 3 ? 502 : at === 7 ? 429 : 200,
    end: at === 3 ? "failed" : at === 7 ? "refused" : "complete",
    input_tokens: 1_200 + at * 13,
    output_tokens: 310,
    cost: at % 4 === 0 ? 0.0042 : 0,
    queued_ms: at % 5 === 0 ? 340 : 0,
    before_ms: at % 5 === 0 ? 342 : 1.8,
    first_ms: 84,
    total_ms: 5_300,
    is_kept: false,
  }));

export const owners = [
  {
    owner: "aaaaaaaaaaaaaaa1",
    open: 2,
    day: sum(140, 168_000, 43_400, 0.56),
    month: sum(2_140, 2_168_000, 543_400, 7.56),
    limits: { requests_per_minute: 60, day: { tokens: 200_000 }, month: { cost: 20 } },
  },
  {
    owner: "this-machine",
    open: 0,
    day: sum(12, 14_400, 3_600, 0),
    month: sum(90, 110_000, 29_000, 0.2),
    limits: { day: {}, month: {} },
  },
];
