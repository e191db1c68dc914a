// Fixture data for looking at the screens in every state. Never part of the product.
import { LOCAL, NO_LOCAL, NO_PROGRAM, UPDATED_SCAN, UPDATES } from "./fixtures-models.mjs";

const MINUTE = 60_000;
const GB = 1024 ** 3;

const spec = (change = {}) => ({
  source: { kind: "empty" },
  image: { kind: "base" },
  profile: "standard",
  limits: {},
  trust_host_certificates: false,
  gpu: false,
  published_ports: [],
  env: {},
  ...change,
});

const git = (url, branch) => spec({ source: { kind: "git", url, ...(branch ? { branch } : {}) } });

export const settings = {
  theme: "system",
  editor_font_size: 13,
  terminal_font_size: 13,
  tab_size: 4,
  word_wrap: false,
  autosave_delay_ms: 1000,
  minimap: false,
  network_range: "10.213.0.0/16",
  auto_forward: true,
  base_image_from: "debian:bookworm",
  clusters: {},
  models: {
    backends: [],
    aliases: [],
    first_byte_seconds: 300,
    idle_seconds: 120,
    queue_seconds: 60,
    limits: { each: { day: {}, month: {} }, of: {}, all: { day: {}, month: {} } },
    prices: [],
    currency: "USD",
    keep_prompts: false,
  },
  local_models: { folders: [], servers: [], overcommit: false },
  offline: false,
};

const server = (id, name, kind, url, change = {}) => ({
  id,
  name,
  kind,
  url,
  has_key: false,
  enabled: true,
  ...change,
});
const model = (id, context_length, note) => ({ id, created: 0, context_length, note });
const told = (id, models, change = {}) => ({
  id,
  health: { kind: "ready" },
  models,
  in_flight: 0,
  queued: 0,
  load: {},
  abilities: {},
  ...change,
});

/** Model servers in every state, and names that lead to them. */
const MODELS = {
  ...settings.models,
  backends: [
    server("m1", "workstation", "vllm", "http://127.0.0.1:8000/v1"),
    server("m2", "ollama", "ollama", "http://127.0.0.1:11434/v1", { max_parallel: 2 }),
    server("m3", "openai", "open_ai", "https://api.openai.com/v1", { has_key: true }),
    server(
      "m4",
      "gateway-of-the-payments-team-in-the-second-data-centre",
      "open_ai",
      "http://models.gateway.payments.internal.example.org:8443/tenants/payments/openai/v1",
    ),
    server("m5", "laptop", "llama_cpp", "http://127.0.0.1:8080/v1", { enabled: false }),
  ],
  aliases: [
    {
      name: "fast",
      targets: [
        { backend: "m1", model: "Qwen/Qwen3-4B", priority: 0 },
        { backend: "ollama", model: "qwen3:4b", priority: 0 },
        { backend: "m3", model: "gpt-4o-mini", priority: 1 },
      ],
    },
    { name: "embeddings", targets: [{ backend: "m5", model: "nomic-embed-text-v1.5", priority: 0 }] },
  ],
};

const MODEL_STATES = [
  told("m1", [model("Qwen/Qwen3-4B", 40_960), model("Qwen/Qwen3-Embedding-0.6B", 32_768)], {
    in_flight: 12,
    load: { running: 12, waiting: 3, kv_cache: 0.412 },
    abilities: { version: "0.11.0", slots: 256, context_length: 40_960, tools: true, vision: false },
  }),
  told("m2", [
    model(
      "qwen3:4b",
      8_192,
      "Its context is cut to 8,192 tokens by the server; OLLAMA_CONTEXT_LENGTH sets more.",
    ),
    model("nomic-embed-text:latest", 2_048),
  ]),
  told(
    "m3",
    Array.from({ length: 60 }, (_, i) =>
      model(`gpt-${4 + (i % 3)}${i % 2 ? "-mini" : ""}-2026-01-${10 + (i % 20)}`),
    ),
  ),
  told("m4", [], { health: { kind: "failing", why: "it answered 401 Unauthorized", retry_in_ms: 42_000 } }),
];

const FOUND = [
  server("lm-studio", "lm-studio", "lm_studio", "http://127.0.0.1:1234/v1"),
  server("local", "local", "open_ai", "http://127.0.0.1:8001/v1"),
];

const LAB = {
  enabled: true,
  base_image: "docker.io/library/buildpack-deps:bookworm-scm",
  storage_gib: 10,
  node_selector: { "kubernetes.io/arch": "amd64", disktype: "ssd" },
  tolerations: [{ key: "dedicated", operator: "Exists", effect: "NoSchedule" }],
  storage_class: "fast-ssd",
  labels: { team: "payments" },
  gpu_resource: "nvidia.com/gpu",
};
const EKS = "arn:aws:eks:eu-west-1:123456789012:cluster/staging-of-the-payments-team";

const capabilities = (change = {}) => ({
  pause: true,
  commit: true,
  memory_limit: true,
  cpu_limit: true,
  pids_limit: true,
  stats: true,
  gpu: false,
  rootless: false,
  keep_id: false,
  custom_subnet: true,
  images: true,
  files_at_rest: true,
  host_folders: true,
  published_ports: true,
  keeps_root: true,
  exec_options: true,
  no_network: true,
  sudo: true,
  self_healing: false,
  split_logs: true,
  ...change,
});
const OF_CLUSTER = {
  pause: false,
  commit: false,
  pids_limit: false,
  gpu: true,
  custom_subnet: false,
  images: false,
  files_at_rest: false,
  host_folders: false,
  published_ports: false,
  keeps_root: false,
  exec_options: false,
  no_network: false,
  sudo: false,
  self_healing: true,
  split_logs: false,
};

const docker = {
  id: "docker",
  kind: "docker",
  name: "Docker",
  endpoint: "unix:///var/run/docker.sock",
  health: "ready",
  version: "29.1.2",
  architecture: "amd64",
  capabilities: capabilities(),
  notes: [],
};
const podman = {
  id: "podman-rootless",
  kind: "podman",
  name: "Podman (rootless)",
  endpoint: "unix:///run/user/1000/podman/podman.sock",
  health: "ready",
  version: "5.7.0",
  architecture: "amd64",
  capabilities: capabilities({ rootless: true, keep_id: true }),
  notes: [],
};
const dockerDenied = {
  ...docker,
  health: "not_permitted",
  version: undefined,
  problem: "This user may not use Docker's socket. Add the user to the group docker, then sign in again.",
  remedy_command: "sudo usermod -aG docker $USER",
  capabilities: capabilities({ pause: false }),
};
const podmanMissing = {
  ...podman,
  name: "Podman",
  health: "missing",
  version: undefined,
  problem: "Podman is not installed on this machine.",
  remedy_command: "sudo apt install podman",
};

const lab = {
  id: "kubernetes-lab",
  kind: "kubernetes",
  name: "lab",
  endpoint: "kubernetes://lab",
  health: "ready",
  version: "1.34.4",
  architecture: "amd64",
  capabilities: capabilities(OF_CLUSTER),
  notes: [
    "The namespace payments enforces the pod security level restricted, so there is no sudo in its workspaces.",
    "Locked workspaces are cut off by a network policy; whether it is enforced depends on the cluster’s network plugin.",
  ],
};
const eks = {
  id: "kubernetes-eks",
  kind: "kubernetes",
  name: EKS,
  endpoint: `kubernetes://${EKS}`,
  health: "stopped",
  problem:
    "The cluster does not answer: error trying to connect: tcp connect error: Connection refused (os error 111). Check that this machine reaches it; this goes on by itself.",
  remedy_command: "kubectl cluster-info",
  capabilities: capabilities(OF_CLUSTER),
  notes: [],
};
const minikube = {
  id: "kubernetes-minikube",
  kind: "kubernetes",
  name: "minikube",
  endpoint: "kubernetes://minikube",
  health: "off",
  capabilities: {},
  notes: [],
};

const step = (kind, state, more = {}) => ({ kind, state, ...more });

function creatingPlan(now) {
  return {
    steps: [
      step("image", "done", {
        started_ms: now - 41_000,
        duration_ms: 28_400,
        note: "pulled debian:bookworm",
      }),
      step("agent", "done", { started_ms: now - 12_600, duration_ms: 420 }),
      step("network", "done", { started_ms: now - 12_100, duration_ms: 180, note: "10.213.0.32/28" }),
      step("volume", "done", { started_ms: now - 11_900, duration_ms: 60 }),
      step("clone", "running", { started_ms: now - 11_800, note: "Receiving objects: 62% (8142/13132)" }),
      step("container", "waiting"),
      step("start", "waiting"),
      step("connect", "waiting"),
    ],
  };
}

function failedPlan(now) {
  const plan = creatingPlan(now);
  plan.steps[4] = step("clone", "failed", { started_ms: now - 11_800, duration_ms: 1_320 });
  plan.error = {
    code: "git_credentials",
    message: "The repository github.com/acme/private-billing asks for credentials.",
    hint: "Clone it over SSH with a key that the server knows, or put a token into the address.",
    detail: "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
  };
  return plan;
}

const sample = (at_ms, i = 0) => ({
  at_ms,
  cpu_percent: Math.max(0.2, 14 + 12 * Math.sin(at_ms / 9_000 + i) + 6 * Math.sin(at_ms / 3_100 + i * 2)),
  memory_bytes: (280 + 60 * Math.sin(at_ms / 40_000 + i) + i * 7) * 1024 * 1024,
  network_received_bytes: Math.round(at_ms / 40) % 4_000_000_000,
  network_sent_bytes: Math.round(at_ms / 300) % 400_000_000,
  disk_read_bytes: Math.round(at_ms / 900) % 90_000_000,
  disk_written_bytes: Math.round(at_ms / 90) % 900_000_000,
  pids: 12 + i,
});

export const history = (now, i) => Array.from({ length: 120 }, (_, k) => sample(now - (120 - k) * 2_000, i));
export const nextSample = sample;

function base(id, name, change) {
  return {
    id,
    name,
    engine: "docker",
    spec: spec(),
    state: "running",
    created_ms: 0,
    imported: false,
    ...change,
  };
}

function three(now) {
  return [
    base("aaaaaaaaaaaaaaa1", "api-server", {
      spec: git("https://github.com/acme/api-server.git"),
      branch: "main",
      created_ms: now - 9 * 24 * 60 * MINUTE,
      last_used_ms: now - 4 * MINUTE,
    }),
    base("aaaaaaaaaaaaaaa2", "web", {
      spec: { ...git("https://github.com/acme/web.git"), limits: { memory_bytes: 4 * GB, cpu_millis: 2000 } },
      engine: "podman-rootless",
      branch: "feature/checkout-redesign",
      created_ms: now - 30 * 60 * MINUTE,
      last_used_ms: now - 3 * 60 * MINUTE,
    }),
    base("aaaaaaaaaaaaaaa3", "notes", {
      spec: spec({ source: { kind: "folder", path: "/home/maria/notes" }, profile: "locked" }),
      state: "stopped",
      created_ms: now - 90 * 24 * 60 * MINUTE,
      last_used_ms: now - 26 * 60 * MINUTE,
    }),
  ];
}

function everyState(now) {
  return [
    ...three(now),
    base("bbbbbbbbbbbbbbb1", "linux-kernel-drivers-staging-with-a-very-long-name-indeed-yes", {
      spec: git("https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux-stable-with-long-path.git"),
      branch: "users/somebody/a-branch-name-that-goes-on-and-on",
      state: "creating",
      plan: creatingPlan(now),
      created_ms: now - 41_000,
    }),
    base("bbbbbbbbbbbbbbb2", "private-billing", {
      spec: git("https://github.com/acme/private-billing.git"),
      state: "failed",
      plan: failedPlan(now),
      created_ms: now - 6 * MINUTE,
    }),
    base("bbbbbbbbbbbbbbb3", "ml-notebook", {
      spec: spec({
        image: { kind: "reference", reference: "python:3.13-bookworm" },
        limits: { memory_bytes: 8 * GB },
      }),
      state: "paused",
      created_ms: now - 3 * 24 * 60 * MINUTE,
      last_used_ms: now - 2 * 24 * 60 * MINUTE,
    }),
    base("bbbbbbbbbbbbbbb4", "old-demo", {
      state: "lost",
      created_ms: now - 200 * 24 * 60 * MINUTE,
      message: "The container was removed by something other than AiCockpit.",
    }),
    base("bbbbbbbbbbbbbbb5", "edge-proxy", {
      engine: "podman-rootless",
      spec: git("git@gitlab.com:infra/edge-proxy.git"),
      state: "unreachable",
      message: "Podman does not answer; the last known state was running.",
      created_ms: now - 20 * 24 * 60 * MINUTE,
    }),
    base("bbbbbbbbbbbbbbb6", "postgres-dev", {
      spec: spec({ image: { kind: "reference", reference: "postgres:18" } }),
      imported: true,
      state: "starting",
      created_ms: now - 60 * MINUTE,
    }),
    base("bbbbbbbbbbbbbbb7", "scratchpad", { state: "stopping", created_ms: now - 60 * MINUTE }),
  ];
}

function many(now, count) {
  const words = [
    "api",
    "web",
    "auth",
    "billing",
    "search",
    "mail",
    "edge",
    "docs",
    "data",
    "mobile",
    "infra",
    "admin",
  ];
  const states = ["running", "stopped", "running", "stopped", "stopped", "paused"];
  return Array.from({ length: count }, (_, i) =>
    base(
      `c${String(i).padStart(15, "0")}`,
      `${words[i % words.length]}-${words[(i * 7 + 3) % words.length]}-${i + 1}`,
      {
        spec: git(`https://github.com/acme/${words[i % words.length]}.git`),
        engine: i % 3 === 0 ? "podman-rootless" : "docker",
        branch: i % 4 === 0 ? "main" : `feature/task-${i * 13}`,
        state: states[i % states.length],
        created_ms: now - i * 70 * MINUTE,
        last_used_ms: now - i * 47 * MINUTE,
      },
    ),
  );
}

const ready = [docker, podman];

const UNSCHEDULABLE =
  "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";

function inCluster(now) {
  const plan = creatingPlan(now);
  plan.steps[6] = step("start", "running", { started_ms: now - 9_000, note: UNSCHEDULABLE });
  for (const at of [4, 5])
    plan.steps[at] = { ...plan.steps[at], state: "done", duration_ms: 900, note: undefined };
  const common = { engine: "kubernetes-lab", created_ms: now - 50 * MINUTE, last_used_ms: now - 2 * MINUTE };
  return [
    ...three(now).slice(0, 1),
    base("eeeeeeeeeeeeeee1", "checkout", { ...common, spec: git("https://github.com/acme/checkout.git") }),
    base("eeeeeeeeeeeeeee2", "training", { ...common, state: "starting", message: UNSCHEDULABLE }),
    base("eeeeeeeeeeeeeee3", "ledger", { ...common, state: "creating", plan }),
    base("eeeeeeeeeeeeeee4", "reports", { ...common, engine: "kubernetes-eks", state: "unreachable" }),
    base("eeeeeeeeeeeeeee5", "sandbox", { ...common, engine: "kubernetes-minikube", state: "unreachable" }),
  ];
}

const withLocal = (now, change) => ({
  now,
  engines: ready,
  workspaces: three(now),
  settings: {
    ...settings,
    local_models: LOCAL.settings,
    models: {
      ...MODELS,
      aliases: LOCAL.aliases,
      limits: { ...MODELS.limits, each: { requests_per_minute: 60, day: { tokens: 200_000 }, month: {} } },
      prices: [{ backend: "m3", model: "gpt-4o-*", input: 0.15, output: 0.6, cached_input: 0.075 }],
    },
    ...change,
  },
  models: MODEL_STATES,
  local: { scan: LOCAL.scan, states: LOCAL.states(now) },
  used: true,
});

const IMAGES = [
  { id: "1", references: ["aicockpit/base:c1542afcfb7d"], size: 1.7 * GB, created_ms: 0 },
  { id: "2", references: ["debian:bookworm"], size: 173_000_000, created_ms: 0 },
  { id: "3", references: ["docker.io/library/python:3.13-bookworm"], size: 1.1 * GB, created_ms: 0 },
];

/** What a host of each scenario has. */
export const scenarios = {
  none: (now) => ({ now, engines: ready, workspaces: [] }),
  noengine: (now) => ({ now, engines: [dockerDenied, podmanMissing], workspaces: [] }),
  three: (now) => ({ now, engines: ready, workspaces: three(now), preview: true }),
  states: (now) => ({ now, engines: ready, workspaces: everyState(now) }),
  many: (now) => ({ now, engines: ready, workspaces: many(now, 200) }),
  fivehundred: (now) => ({ now, engines: ready, workspaces: many(now, 500) }),
  broken: (now) => ({ now, engines: ready, workspaces: [], listError: true }),
  enginegone: (now) => ({
    now,
    engines: [dockerDenied, podmanMissing],
    workspaces: three(now).map((entry) => ({ ...entry, state: "unreachable" })),
  }),
  clusters: (now) => ({
    now,
    engines: [minikube, docker, lab, eks],
    workspaces: inCluster(now),
    settings: { ...settings, clusters: { lab: LAB, [EKS]: { ...LAB, tolerations: [] } } },
  }),
  clusteronly: (now) => ({
    now,
    engines: [{ ...podmanMissing, name: "Docker", id: "docker" }, minikube],
    workspaces: [],
  }),
  models: (now) => ({
    now,
    engines: ready,
    workspaces: three(now),
    settings: { ...settings, models: MODELS },
    models: MODEL_STATES,
    found: FOUND,
  }),
  modelsbroken: (now) => ({
    now,
    engines: ready,
    workspaces: three(now),
    settings: { ...settings, models: { ...MODELS, backends: MODELS.backends.slice(0, 2), aliases: [] } },
  }),
  local: (now) => withLocal(now, {}),
  localupdates: (now) => ({
    ...withLocal(now, {}),
    local: { scan: UPDATED_SCAN, states: LOCAL.states(now), updates: UPDATES(now) },
  }),
  localoffline: (now) => ({ ...withLocal(now, { offline: true }), images: IMAGES }),
  localnone: (now) => ({ now, engines: ready, workspaces: three(now), local: NO_LOCAL }),
  localnoprogram: (now) => ({ now, engines: ready, workspaces: three(now), local: NO_PROGRAM }),
  offline: (now) => ({
    now,
    engines: ready,
    workspaces: three(now),
    settings: { ...settings, models: MODELS, offline: true },
    models: MODEL_STATES,
    images: IMAGES,
  }),
  slow: (now) => ({ now, engines: ready, workspaces: three(now), delayMs: 3_000 }),
};

export const containers = [
  { id: "d1", name: "keycloak", image: "quay.io/keycloak/keycloak:26.4", running: true },
  { id: "d2", name: "redis-cache", image: "redis:8", running: true },
  { id: "d3", name: "old_postgres_1", image: "postgres:15", running: false },
];

export const deletePreview = {
  volume: true,
  uncommitted_files: 3,
  unpushed_commits: 2,
  busy_terminals: 1,
};

export const timeline = (now) => [
  { at_ms: now - 50 * MINUTE, text: "Created from https://github.com/acme/api-server.git.", failed: false },
  { at_ms: now - 49 * MINUTE, text: "Started.", failed: false },
  {
    at_ms: now - 12 * MINUTE,
    text: "The agent could not be reached: the container ran out of memory.",
    failed: true,
  },
  { at_ms: now - 11 * MINUTE, text: "Started.", failed: false },
];

export const planLog = [
  {
    step: "image",
    lines: ["Step 1/9 : ARG BASE=debian:bookworm", "Step 2/9 : FROM debian:bookworm", " ---> 3a1b9c1f22d0"],
  },
  {
    step: "clone",
    lines: [
      "Cloning into '/workspace'...",
      "remote: Enumerating objects: 13132, done.",
      "remote: Counting objects: 100% (412/412), done.",
      "remote: Compressing objects: 100% (201/201), done.",
      "Receiving objects:  62% (8142/13132), 41.20 MiB | 11.80 MiB/s",
    ],
  },
];

export const preview = {
  file: "src/main.rs",
  lines: [
    "dev@api-server:/workspace$ cargo test -p api",
    "   Compiling api v0.4.1 (/workspace/crates/api)",
    "    Finished `test` profile in 4.81s",
    "     Running unittests src/lib.rs",
    "",
    "running 42 tests",
    "..........................................",
    "test result: ok. 42 passed; 0 failed",
    "",
    "dev@api-server:/workspace$ ",
  ],
};

export const ports = [
  {
    target: { host: "localhost", port: 3000 },
    listening: { port: 3000, loopback: false, process: "node" },
    forward: {
      target: { host: "localhost", port: 3000 },
      local_port: 3000,
      url: "http://aaaaaaaaaaaaaaa1.localhost:3000/",
    },
  },
];
