// A host with fixture data, for looking at the screens: serves dist/ as the real one does, and answers from
// fixtures.mjs. The sign-in token names the scenario: http://127.0.0.1:4790/#token=three
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import * as fixtures from "./fixtures.mjs";
import { owners, requests, usage } from "./fixtures-models.mjs";

const DIST = process.env.DIST ?? fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".ttf": "font/ttf",
};
const Kind = { Request: 1, Reply: 2, Event: 3, StreamData: 4, StreamCredit: 5, StreamEnd: 6 };

function frame(kind, id, value, body = Buffer.alloc(0)) {
  const json = Buffer.from(value === undefined ? "" : JSON.stringify(value));
  const head = Buffer.alloc(9);
  head.writeUInt8(kind, 0);
  head.writeUInt32LE(id, 1);
  head.writeUInt32LE(json.length, 5);
  return Buffer.concat([head, json, body]);
}

const policy = (host) =>
  `default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; ` +
  `worker-src 'self' blob:; font-src 'self' data:; connect-src 'self' ws://${host}; object-src 'none'; ` +
  `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

function serveFile(request, response) {
  const path = new URL(request.url, "http://x").pathname;
  const wanted = join(DIST, path === "/" ? "index.html" : path);
  const file = wanted.startsWith(DIST) && existsSync(wanted) ? wanted : join(DIST, "index.html");
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-security-policy": policy(request.headers.host),
  });
  createReadStream(file).pipe(response);
}

async function signIn(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { token } = JSON.parse(Buffer.concat(chunks).toString());
  const known = token in fixtures.scenarios;
  response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
  response.end(known ? JSON.stringify({ bearer: token }) : "refused");
}

/** One connection's host: the scenario's data, changed as the page asks. */
class Session {
  constructor(socket, scenario) {
    this.socket = socket;
    // What a session changes is its own.
    this.data = JSON.parse(JSON.stringify(fixtures.scenarios[scenario](Date.now())));
    this.settings = this.data.settings ?? { ...fixtures.settings };
    this.state = new Map();
    this.nextStream = 1;
    this.timer = setInterval(() => this.pushSamples(), 2_000);
    socket.on("close", () => clearInterval(this.timer));
    if (this.data.preview) {
      this.event({ kind: "link", workspace: "aaaaaaaaaaaaaaa1", link: { kind: "connected" } });
      this.state.set("workspace/aaaaaaaaaaaaaaa1/preview", fixtures.preview);
    }
  }

  event(event) {
    this.socket.send(frame(Kind.Event, 0, event));
  }

  pushSamples() {
    const samples = this.data.workspaces
      .map((workspace, i) => ({ workspace: workspace.id, sample: fixtures.nextSample(Date.now(), i) }))
      .filter((_, i) => this.data.workspaces[i].state === "running");
    this.event({ kind: "samples", samples });
  }

  change(id, patch) {
    const workspace = this.data.workspaces.find((entry) => entry.id === id);
    if (!workspace) throw { code: "not_found", message: "There is no such workspace." };
    Object.assign(workspace, patch);
    this.event({ kind: "workspace", workspace });
    return {};
  }

  /** A cluster that was switched on is looked at, and does not answer; one that was switched off is let go. */
  switchClusters() {
    for (const engine of this.data.engines.filter((entry) => entry.kind === "kubernetes")) {
      const enabled = this.settings.clusters[engine.name]?.enabled === true;
      if (enabled === (engine.health !== "off")) continue;
      engine.health = enabled ? "stopped" : "off";
      engine.problem = enabled ? "The cluster does not answer." : undefined;
      this.event({ kind: "engine", engine });
    }
  }

  update(of, op) {
    const phase = op === "local_models.update" ? { kind: "running" } : { kind: "cancelled" };
    const updates = [{ of, phase, since_ms: Date.now() }];
    this.data.local.updates = updates;
    this.event({ kind: "local_model_updates", updates });
    return {};
  }

  async handle(bytes) {
    if (bytes.readUInt8(0) !== Kind.Request) return;
    const id = bytes.readUInt32LE(1);
    const { op, params } = JSON.parse(bytes.subarray(9, 9 + bytes.readUInt32LE(5)).toString());
    if (this.data.delayMs) await new Promise((resolve) => setTimeout(resolve, this.data.delayMs));
    try {
      this.socket.send(frame(Kind.Reply, id, { ok: this.answer(op, params) ?? null }));
    } catch (error) {
      this.socket.send(
        frame(Kind.Reply, id, { error: error.code ? error : { code: "internal", message: String(error) } }),
      );
    }
  }

  answer(op, params) {
    const { data } = this;
    const later = (patch) => setTimeout(() => this.change(params.workspace, patch), 600);
    switch (op) {
      case "host.info":
        return {
          version: "0.1.0",
          machine: "maria-laptop",
          capabilities: ["local_folders"],
        };
      case "settings.get":
        return this.settings;
      case "settings.put":
        this.settings = params;
        this.event({ kind: "settings", settings: params });
        this.switchClusters();
        return {};
      case "models.backends":
      case "models.check":
        if (data.models === undefined && this.settings.models.backends.length > 0)
          throw { code: "internal", message: "The models could not be asked." };
        return (data.models ?? []).filter(({ id }) =>
          this.settings.models.backends.some((server) => server.id === id && server.enabled),
        );
      case "models.discover":
        return data.found ?? [];
      case "local_models.scan":
        return (
          data.local?.scan ?? {
            models: [],
            folders: [],
            unreadable: [],
            runtimes: [],
            engines: [],
            hardware: { memory_bytes: 0, available_bytes: 0, gpus: [] },
          }
        );
      case "local_models.servers":
        return (data.local?.states ?? []).filter(({ id }) =>
          this.settings.local_models.servers.some((server) => server.id === id),
        );
      case "local_models.updates":
        return data.local?.updates ?? [];
      case "local_models.update":
      case "local_models.cancel_update":
        return this.update(op === "local_models.update" ? params.of : params, op);
      case "models.usage":
        return data.used
          ? usage(params)
          : {
              ...usage(params),
              groups: [],
              first_ms: undefined,
              total: { ...usage(params).total, requests: 0 },
            };
      case "models.requests":
        return data.used && params.before === undefined ? requests(Date.now()) : [];
      case "models.owners":
        return data.used ? owners : [];
      case "models.key":
        throw {
          code: "internal",
          message: "The key could not be kept: the keyring is locked.",
          hint: "Unlock the system's keyring, or look at the folder's rights, then try again.",
        };
      case "state.get":
        return this.state.get(params.key) ?? null;
      case "state.put":
        this.state.set(params.key, params.value);
        return {};
      case "workspace.watch_samples":
        return {};
      case "engine.list":
      case "engine.refresh":
        return data.engines;
      case "engine.containers":
        return fixtures.containers;
      case "engine.images":
        return data.images ?? [];
      case "workspace.list":
        if (data.listError) {
          throw {
            code: "internal",
            message: "The store /home/maria/.local/share/aicockpit/store.sqlite could not be read.",
            hint: "Check that the disk is not full and that the file belongs to you, then try again.",
            detail:
              'SqliteFailure(Error { code: DiskFull, extended_code: 13 }, Some("database or disk is full"))',
          };
        }
        return data.workspaces;
      case "workspace.create": {
        const workspace = {
          ...fixtures.scenarios.states(Date.now()).workspaces[3],
          id: "ddddddddddddddd1",
          name: params.name ?? "new-workspace",
          spec: params.spec,
        };
        data.workspaces.push(workspace);
        return workspace;
      }
      case "workspace.start":
        later({ state: "running" });
        return this.change(params.workspace, { state: "starting" });
      case "workspace.stop":
        later({ state: "stopped" });
        return this.change(params.workspace, { state: "stopping" });
      case "workspace.restart":
        later({ state: "running" });
        return this.change(params.workspace, { state: "stopping" });
      case "workspace.pause":
        return this.change(params.workspace, { state: "paused" });
      case "workspace.unpause":
        return this.change(params.workspace, { state: "running" });
      case "workspace.rename":
        return this.change(params.workspace, { name: params.name });
      case "workspace.delete_preview":
        return fixtures.deletePreview;
      case "workspace.delete":
        data.workspaces = data.workspaces.filter((entry) => entry.id !== params.workspace);
        this.event({ kind: "workspace_gone", workspace: params.workspace });
        return {};
      case "workspace.timeline":
        return fixtures.timeline(Date.now());
      case "workspace.plan_log":
        return fixtures.planLog;
      case "workspace.history":
        return fixtures.history(
          Date.now(),
          data.workspaces.findIndex((entry) => entry.id === params.workspace),
        );
      case "workspace.logs": {
        const stream = this.nextStream++;
        setImmediate(() => {
          const text = Buffer.from("\x1b[32mready\x1b[0m to accept connections\nlistening on 0.0.0.0:5432\n");
          this.socket.send(frame(Kind.StreamData, stream, undefined, text));
        });
        return { stream };
      }
      case "port.list":
        return fixtures.ports;
      case "terminal.list":
        return [];
    }
    throw { code: "unsupported", message: `The fixture host has no answer to ${op}.` };
  }
}

/** Starts the host; resolves to its address. */
export function startHost(port = 0) {
  const server = createServer((request, response) => {
    if (request.url === "/api/sign-in") void signIn(request, response);
    else serveFile(request, response);
  });
  const sockets = new WebSocketServer({ server, path: "/api/socket", handleProtocols: () => "aicockpit.v1" });
  sockets.on("connection", (socket, request) => {
    const offered = request.headers["sec-websocket-protocol"] ?? "";
    const scenario = /bearer\.(\w+)/.exec(offered)?.[1];
    if (!scenario || !(scenario in fixtures.scenarios)) return socket.close();
    const session = new Session(socket, scenario);
    socket.on("message", (bytes) => void session.handle(bytes));
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () =>
      resolve({ url: `http://127.0.0.1:${server.address().port}`, server, sockets }),
    );
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startHost(Number(process.env.PORT ?? 4790));
  for (const scenario of Object.keys(fixtures.scenarios)) console.log(`${url}/#token=${scenario}`);
}
