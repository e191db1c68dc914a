// Starts the real window through tauri-driver, with a data folder of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Session, until } from "./webdriver.mjs";

const repository = resolve(import.meta.dirname, "../..");
export const programs = {
  host: process.env.AICOCKPIT_BIN ?? join(repository, "target/debug/aicockpit"),
  desktop: process.env.AICOCKPIT_DESKTOP ?? join(repository, "target/debug/aicockpit-desktop"),
  agent:
    process.env.AICOCKPIT_AGENT ??
    join(repository, "target/agent/x86_64-unknown-linux-gnu/agent/aicockpit-agent"),
  ui: process.env.AICOCKPIT_UI ?? join(repository, "ui/dist"),
  driver: process.env.TAURI_DRIVER ?? "tauri-driver",
};

/** The window under test. */
export class Application {
  #driver;
  #address;
  #log = "";
  session;

  constructor(home = mkdtempSync(join(tmpdir(), "aicockpit-window-"))) {
    this.home = home;
    // Where this desktop keeps what a person downloads.
    mkdirSync(join(home, "config"), { recursive: true });
    writeFileSync(join(home, "config/user-dirs.dirs"), `XDG_DOWNLOAD_DIR="${home}/downloads"\n`);
  }

  /** What the window is started with. */
  get environment() {
    return {
      ...process.env,
      AICOCKPIT_HOME: this.home,
      AICOCKPIT_AGENT: programs.agent,
      AICOCKPIT_UI: programs.ui,
      XDG_CONFIG_HOME: join(this.home, "config"),
      // Xvfb has no GPU to share buffers with.
      WEBKIT_DISABLE_DMABUF_RENDERER: "1",
    };
  }

  /** Starts the driver, and through it the window. */
  async start() {
    const [port, native] = [await freePort(), await freePort()];
    this.#driver = spawn(programs.driver, ["--port", String(port), "--native-port", String(native)], {
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#driver.stdout, this.#driver.stderr]) {
      stream.on("data", (text) => (this.#log += text));
    }
    this.#address = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${this.#address}/status`)).ok, "the driver");
    this.session = await Session.start(this.#address, programs.desktop);
    return this.session;
  }

  /** What driver and window printed. */
  get log() {
    return this.#log;
  }

  /** Ends window and driver; workspaces are the engine's and stay. */
  async stop() {
    await this.session?.end();
    await this.#endDriver();
  }

  /** Ends the window without any warning, as a crash would. */
  async kill() {
    const children = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(this.#driver.pid)], {
      encoding: "utf8",
    });
    const native = Number(/^\s*(\d+)/.exec(children)?.[1]);
    const windows = execFileSync("ps", ["-o", "pid=,comm=", "--ppid", String(native)], { encoding: "utf8" });
    for (const line of windows.split("\n")) {
      const [pid, name] = line.trim().split(/\s+/);
      if (name?.startsWith("aicockpit")) process.kill(Number(pid), "SIGKILL");
    }
    // The driver notices that its window is gone only when it is asked; the session cannot end in order.
    await this.session.end().catch(() => undefined);
    await this.#endDriver();
  }

  async #endDriver() {
    this.session = undefined;
    const driver = this.#driver;
    this.#driver = undefined;
    if (!driver || driver.exitCode !== null) return;
    const ended = once(driver, "exit");
    driver.kill("SIGTERM");
    await ended;
    // What it started may outlive it for a moment and hold these open.
    driver.stdout.destroy();
    driver.stderr.destroy();
  }

  /** Stops and forgets everything. */
  async dispose() {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
