import { Client } from "./client";
import { WebSocketTransport } from "./websocket";

/** The client of the host that this page belongs to. */
export async function connect(): Promise<Client> {
  if ("__TAURI_INTERNALS__" in window) {
    const { TauriTransport } = await import("./tauri");
    return new Client(new TauriTransport());
  }
  return new Client(new WebSocketTransport());
}
