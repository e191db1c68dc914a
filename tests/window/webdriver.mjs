// A client of the W3C WebDriver protocol (https://www.w3.org/TR/webdriver2/), as much of it as these tests use.
// A library would bring a hundred packages for ten requests.
import assert from "node:assert/strict";

/** Name of an element's id in answers, fixed by the protocol. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Keys that have no character, as the protocol numbers them. */
export const Key = { Enter: "\uE007", Escape: "\uE00C", Control: "\uE009", Shift: "\uE008" };

/** One session: one application, started with it and ended with it. */
export class Session {
  #address;

  constructor(address) {
    this.#address = address;
  }

  /** Starts `application` through the driver at `driver`. */
  static async start(driver, application) {
    const answer = await request("POST", `${driver}/session`, {
      capabilities: { alwaysMatch: { "tauri:options": { application } } },
    });
    return new Session(`${driver}/session/${answer.sessionId}`);
  }

  /** Ends the application. */
  async end() {
    await request("DELETE", this.#address);
  }

  /** Runs the body of a function in the page and gives what it returns. */
  async run(script, ...args) {
    return request("POST", `${this.#address}/execute/sync`, { script, args });
  }

  /** The first element that `xpath` finds, once there is one that can be seen. */
  async find(xpath, { within = 15_000 } = {}) {
    return until(
      async () => {
        const found = await request("POST", `${this.#address}/elements`, { using: "xpath", value: xpath });
        for (const element of found) {
          const id = element[ELEMENT];
          if (await request("GET", `${this.#address}/element/${id}/displayed`)) return id;
        }
        return undefined;
      },
      `an element ${xpath}`,
      within,
    );
  }

  /** The element of an ARIA role and accessible name. Native roles count too. */
  async role(role, name, options) {
    return until(
      async () => {
        const found = await request("POST", `${this.#address}/elements`, {
          using: "css selector",
          value: SELECTORS[role] ?? `[role="${role}"]`,
        });
        for (const element of found) {
          const id = element[ELEMENT];
          const label = await this.#label(id);
          const matches = typeof name === "string" ? label === name : name.test(label);
          if (matches && (await request("GET", `${this.#address}/element/${id}/displayed`))) return id;
        }
        return undefined;
      },
      `a ${role} called ${String(name)}`,
      options?.within ?? 15_000,
    );
  }

  /** The accessible name; WebKitGTK's driver fails to compute it for some elements that have a plain `aria-label`. */
  async #label(element) {
    try {
      return await request("GET", `${this.#address}/element/${element}/computedlabel`);
    } catch {
      return (await request("GET", `${this.#address}/element/${element}/attribute/aria-label`)) ?? "";
    }
  }

  async click(element) {
    await request("POST", `${this.#address}/element/${element}/click`, {});
  }

  /** Types into an element. */
  async type(element, text) {
    await request("POST", `${this.#address}/element/${element}/value`, { text });
  }

  /** Presses keys where the focus is, modifiers held while the last one goes down. */
  async press(...keys) {
    const down = keys.map((value) => ({ type: "keyDown", value }));
    const up = keys.toReversed().map((value) => ({ type: "keyUp", value }));
    await request("POST", `${this.#address}/actions`, {
      actions: [{ type: "key", id: "keyboard", actions: [...down, ...up] }],
    });
  }

  /** Types text where the focus is, key by key. */
  async keys(text) {
    const actions = [...text].flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]);
    await request("POST", `${this.#address}/actions`, {
      actions: [{ type: "key", id: "keyboard", actions }],
    });
  }

  /** The window as a PNG. */
  async screenshot() {
    return Buffer.from(await request("GET", `${this.#address}/screenshot`), "base64");
  }

  /** The window's size in pixels. */
  async resize(width, height) {
    await request("POST", `${this.#address}/window/rect`, { width, height });
  }
}

const SELECTORS = {
  button: 'button, [role="button"]',
  heading: 'h1, h2, h3, h4, [role="heading"]',
  textbox: 'input:not([type]), input[type="text"], input[type="search"], textarea, [role="textbox"]',
  combobox: 'select, [role="combobox"]',
  link: 'a[href], [role="link"]',
};

/** Polls until `probe` gives something, at most `within` milliseconds. */
export async function until(probe, what, within = 15_000) {
  const deadline = Date.now() + within;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      // An element that was replaced between two requests is looked for again.
      last = error;
    }
    await new Promise((resume) => setTimeout(resume, 100));
  }
  assert.fail(`${what} did not appear within ${within / 1000} s${last ? `; last: ${last.message}` : ""}`);
}

async function request(method, address, body) {
  const response = await fetch(address, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${method} ${address}: ${value?.error}: ${value?.message}`);
  return value;
}
