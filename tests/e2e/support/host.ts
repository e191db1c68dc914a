import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const repository = resolve(import.meta.dirname, "../../..");

/** The programs under test, as built by `cargo xtask test` or named by the environment. */
export const programs = {
  host: process.env.AICOCKPIT_BIN ?? join(repository, "target/debug/aicockpit"),
  agent:
    process.env.AICOCKPIT_AGENT ??
    join(repository, "target/agent/x86_64-unknown-linux-gnu/agent/aicockpit-agent"),
  ui: process.env.AICOCKPIT_UI ?? join(repository, "ui/dist"),
};

/** Runs a program where no engine's own socket is to be seen. */
export const WITHOUT_SOCKETS = [
  "unshare",
  "--mount",
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  "sh",
  "-c",
  'mount -t tmpfs none /run && exec "$0" "$@"',
];

/** A real `aicockpit serve` with a data folder of its own, which survives `kill` and `start`. */
export class Host {
  readonly home = mkdtempSync(join(tmpdir(), "aicockpit-e2e-"));
  #process: ChildProcess | undefined;
  #log: string[] = [];

  constructor(
    readonly environment: Record<string, string> = {},
    /** A program that runs the host as its arguments say. */
    readonly wrapper: readonly string[] = [],
  ) {}

  /** Starts the host; resolves with the address that signs the browser in. */
  async start(): Promise<string> {
    const [program = "", ...args] = [...this.wrapper, programs.host, "serve", "--listen", "127.0.0.1:0"];
    const child = spawn(program, args, {
      env: {
        ...process.env,
        AICOCKPIT_HOME: this.home,
        AICOCKPIT_AGENT: programs.agent,
        AICOCKPIT_UI: programs.ui,
        ...this.environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    createInterface({ input: child.stderr }).on("line", (line) => this.#log.push(line));
    const output = createInterface({ input: child.stdout });
    const address = new Promise<string>((found, failed) => {
      output.on("line", (line) => {
        this.#log.push(line);
        const match = /http:\/\/\S+#token=\S+/.exec(line);
        if (match) found(match[0]);
      });
      child.once("exit", (code) =>
        failed(new Error(`the host ended with ${String(code)} before it printed its address:\n${this.log}`)),
      );
      child.once("error", failed);
    });
    return address;
  }

  /** The id that everything it makes on an engine is labelled with. */
  owner(): string | undefined {
    const file = join(this.home, "owner");
    return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
  }

  /** What the host printed so far. */
  get log(): string {
    return this.#log.join("\n");
  }

  /** Ends the host without any warning, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends the host and removes its data folder. */
  async dispose(): Promise<void> {
    await this.#end("SIGTERM");
    rmSync(this.home, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}
