import { type ConnectionState, type Transport, type TransportHandlers } from "./transport";

const BEARER_KEY = "aicockpit.bearer";
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;

/** The browser's way to the host: one WebSocket, every message one frame. */
export class WebSocketTransport implements Transport {
  readonly keysReserved = true;
  #handlers: TransportHandlers | undefined;
  #socket: WebSocket | undefined;
  #attempt = 0;
  #refused = 0;
  #timer: number | undefined;

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    void this.#begin();
    // A laptop that wakes up, or a network that returns, does not wait for the back-off.
    window.addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retry();
    });
    // Pasting the address of a fresh sign-in into an open page changes only its fragment.
    window.addEventListener("hashchange", () => {
      if (tokenOfAddress() !== undefined) void this.#begin();
    });
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  retry(): void {
    if (this.#timer === undefined) return;
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connect();
  }

  #set(state: ConnectionState): void {
    this.#handlers?.state(state);
  }

  async #begin(): Promise<void> {
    const token = tokenOfAddress();
    if (token !== undefined) {
      history.replaceState(null, "", location.pathname + location.search);
      const answer = await post("/api/sign-in", { token });
      if (answer?.ok) {
        const { bearer } = (await answer.json()) as { bearer: string };
        sessionStorage.setItem(BEARER_KEY, bearer);
      } else if (sessionStorage.getItem(BEARER_KEY) === null) {
        this.#set({ kind: "unauthorised", reason: "This sign-in address was used before or has expired." });
        return;
      }
    }
    this.#connect();
  }

  #connect(): void {
    const bearer = sessionStorage.getItem(BEARER_KEY);
    if (bearer === null) {
      this.#set({ kind: "unauthorised", reason: "This page is not signed in." });
      return;
    }
    this.#socket?.close();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/api/socket`, [
      "aicockpit.v1",
      `bearer.${bearer}`,
    ]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#refused = 0;
      this.#attempt = 0;
      this.#set({ kind: "connected" });
    };
    socket.onmessage = (message: MessageEvent<ArrayBuffer>) => {
      this.#handlers?.frame(new Uint8Array(message.data));
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      void this.#closed(opened);
    };
  }

  async #closed(opened: boolean): Promise<void> {
    // A browser does not tell why a handshake failed. Where the host answers other requests, it refused the bearer;
    // a second try rules out a host that was just starting.
    this.#refused = !opened && (await isReachable()) ? this.#refused + 1 : 0;
    if (this.#refused >= 2) {
      this.#refused = 0;
      sessionStorage.removeItem(BEARER_KEY);
      this.#set({
        kind: "unauthorised",
        reason: "The host was started anew, so this sign-in no longer counts.",
      });
      return;
    }
    this.#attempt += 1;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#attempt - 1));
    const delay = longest * (0.5 + Math.random() / 2);
    this.#set({ kind: "reconnecting", attempt: this.#attempt, nextAt: Date.now() + delay });
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      this.#connect();
    }, delay);
  }
}

function tokenOfAddress(): string | undefined {
  return /^#token=([A-Za-z0-9._~-]+)$/.exec(location.hash)?.[1];
}

async function post(path: string, body: unknown): Promise<Response | undefined> {
  try {
    return await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return undefined;
  }
}

/** Whether the host answers at all: an empty token is refused by a host that runs. */
async function isReachable(): Promise<boolean> {
  return (await post("/api/sign-in", { token: "" }))?.status === 401;
}
