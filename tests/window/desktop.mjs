// The desktop around the window: its panel, its notifications, its close button.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export class Desktop {
  #program;
  #lines;

  /** Starts it on the display and bus of this process. */
  static async start() {
    const desktop = new Desktop();
    desktop.#program = spawn("/usr/bin/python3", [join(import.meta.dirname, "desktop.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    desktop.#lines = createInterface({ input: desktop.#program.stdout })[Symbol.asyncIterator]();
    await desktop.#next();
    return desktop;
  }

  async #next() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the desktop ended");
    return JSON.parse(value);
  }

  async #ask(command) {
    this.#program.stdin.write(`${JSON.stringify(command)}\n`);
    const answer = await this.#next();
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.is;
  }

  /** The tray icon's menu; empty while there is no icon. */
  menu() {
    return this.#ask({ do: "menu" });
  }

  /** Chooses an entry of the tray icon's menu; false where there is none of that name. */
  choose(label) {
    return this.#ask({ do: "choose", label });
  }

  /** How many of our windows can be seen. */
  visible() {
    return this.#ask({ do: "visible" });
  }

  /** Presses the window's close button. */
  close() {
    return this.#ask({ do: "close" });
  }

  /** Every notification so far. */
  notifications() {
    return this.#ask({ do: "notifications" });
  }

  async end() {
    const ended = once(this.#program, "exit");
    this.#program.stdin.end();
    await ended;
  }
}
