/** How the connection to the host stands. */
export type ConnectionState =
  | { kind: "connecting" }
  | { kind: "connected" }
  | { kind: "reconnecting"; attempt: number; nextAt: number }
  | { kind: "unauthorised"; reason: string };

export interface TransportHandlers {
  /** A whole frame arrived. */
  frame(bytes: Uint8Array<ArrayBuffer>): void;
  state(state: ConnectionState): void;
}

/** Carries frames; knows nothing of what they mean. */
export interface Transport {
  /** True where the surroundings keep some keys (Ctrl+W, Ctrl+T, Ctrl+N) for themselves. */
  readonly keysReserved: boolean;
  start(handlers: TransportHandlers): void;
  /** Sends a frame; silently dropped while not connected, where `state` has said so already. */
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Tries again now instead of waiting. */
  retry(): void;
  /** The native folder dialog, on hosts with the capability `dialogs`; null when the person chose none. */
  pickFolder?(): Promise<string | null>;
  /** Begins a file in the person's folder of downloads, where the page itself cannot. */
  beginDownload?(name: string): Promise<LocalFile>;
}

/** A new file on the person's machine. */
export interface LocalFile {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Gives the file its name; its path. */
  finish(): Promise<string>;
  /** Removes what was written. */
  cancel(): Promise<void>;
}
