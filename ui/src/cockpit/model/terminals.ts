import type { StreamEnd, TerminalAttached, TerminalInfo } from "../../protocol/generated";
import { Observable } from "./observable";

/** The bytes of an attached terminal, both ways. */
export interface TerminalStream {
  /** Begins to hand data over; `taken` gives its bytes back as credit once they are on the screen. */
  listen(
    onData: (bytes: Uint8Array, taken: () => void) => void,
    onEnd: (end: { kind: StreamEnd["kind"] }) => void,
  ): void;
  send(bytes: Uint8Array): void;
  close(): void;
}

/** What terminals ask of the workspace. */
export interface TerminalHost {
  list(): Promise<TerminalInfo[]>;
  create(options: {
    command: string[];
    directory?: string;
    columns: number;
    rows: number;
    /** As root, whoever the workspace's user is. */
    asRoot?: boolean;
  }): Promise<TerminalInfo>;
  attach(
    terminal: number,
    from: number | undefined,
  ): Promise<{ attached: TerminalAttached["attached"]; stream: TerminalStream }>;
  resize(terminal: number, columns: number, rows: number): Promise<void>;
  rename(terminal: number, name: string): Promise<void>;
  close(terminal: number): Promise<void>;
}

/** The screen that shows a terminal: xterm in the page, a recorder in tests. */
export interface TerminalScreen {
  /** Takes output in; `done` once it is on the screen. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Empties the screen and takes this size, in which a snapshot was drawn. */
  reset(columns: number, rows: number): void;
  /** Takes the size of the place it is shown in; tells the session where that differs. */
  fit(): void;
  size(): { columns: number; rows: number };
}

export type AttachState = "detached" | "attaching" | "attached";

/**
 * One terminal and this page's place in its output. It is attached only while it is on the screen; what it missed
 * comes by offset when it returns, or as a snapshot where the agent no longer holds it.
 */
export class TerminalSession extends Observable {
  state: AttachState = "detached";
  /** Why the last attachment could not be made. */
  problem: string | undefined;

  private offset: number | undefined;
  private snapshotLeft = 0;
  private stream: TerminalStream | undefined;
  private screen: TerminalScreen | undefined;
  private wanted = false;
  /** The size that the agent has. */
  private told = { columns: 0, rows: 0 };
  /** Counts attachments, so that a late answer to an older one is dropped. */
  private attempt = 0;

  info: TerminalInfo;
  private readonly host: TerminalHost;

  constructor(info: TerminalInfo, host: TerminalHost) {
    super();
    this.info = info;
    this.host = host;
  }

  get id(): number {
    return this.info.id;
  }

  get title(): string {
    return this.info.name ?? (this.info.title === "" ? `Terminal ${this.info.id}` : this.info.title);
  }

  update(info: TerminalInfo): void {
    this.info = info;
    this.changed();
  }

  /** Gives the terminal its screen, once. */
  setScreen(screen: TerminalScreen): void {
    this.screen = screen;
    if (this.wanted) void this.attach();
  }

  /** Whether somebody sees the terminal: only then it streams. */
  setVisible(visible: boolean): void {
    if (this.wanted === visible) return;
    this.wanted = visible;
    if (visible) void this.attach();
    else this.detach();
  }

  /** The connection is back: go on where the output stopped. */
  reconnect(): void {
    if (this.state === "detached" && this.wanted) void this.attach();
  }

  /** The connection is away. */
  lost(): void {
    this.detach();
  }

  /** Sends what was typed; false where nobody would get it. */
  input(bytes: Uint8Array): boolean {
    if (this.state !== "attached" || !this.stream || this.info.exit) return false;
    this.stream.send(bytes);
    return true;
  }

  private async attach(): Promise<void> {
    const screen = this.screen;
    if (!screen || this.state !== "detached") return;
    this.attempt += 1;
    const attempt = this.attempt;
    this.state = "attaching";
    this.problem = undefined;
    this.changed();
    try {
      const { attached, stream } = await this.host.attach(this.id, this.offset);
      if (attempt !== this.attempt) return stream.close();
      const goesOn = attached.snapshot_len === 0 && attached.offset === this.offset;
      if (!goesOn) screen.reset(attached.columns, attached.rows);
      this.offset = attached.offset;
      this.snapshotLeft = attached.snapshot_len;
      this.stream = stream;
      this.state = "attached";
      this.told = { columns: attached.columns, rows: attached.rows };
      if (this.snapshotLeft === 0) this.settle(screen);
      stream.listen(
        (bytes, taken) => this.take(attempt, bytes, taken, screen),
        (end) => this.ended(attempt, end.kind),
      );
      this.changed();
    } catch (error) {
      if (attempt !== this.attempt) return;
      this.state = "detached";
      this.problem = error instanceof Error ? error.message : String(error);
      this.changed();
    }
  }

  private take(attempt: number, bytes: Uint8Array, taken: () => void, screen: TerminalScreen): void {
    if (attempt !== this.attempt) return taken();
    const snapshot = Math.min(this.snapshotLeft, bytes.length);
    this.snapshotLeft -= snapshot;
    if (this.offset !== undefined) this.offset += bytes.length - snapshot;
    const complete = snapshot > 0 && this.snapshotLeft === 0;
    screen.write(bytes, () => {
      taken();
      if (complete && attempt === this.attempt) this.settle(screen);
    });
  }

  /** The screen shows what the agent has: from here on the place it is shown in decides the size. */
  private settle(screen: TerminalScreen): void {
    screen.fit();
    const { columns, rows } = screen.size();
    this.resize(columns, rows);
  }

  private ended(attempt: number, end: StreamEnd["kind"]): void {
    if (attempt !== this.attempt) return;
    this.attempt += 1;
    this.stream = undefined;
    this.state = "detached";
    // A snapshot cut short leaves a screen that no offset describes.
    if (end === "resync" || this.snapshotLeft > 0) this.offset = undefined;
    this.changed();
    if (end === "resync" && this.wanted) void this.attach();
  }

  private detach(): void {
    this.attempt += 1;
    if (this.snapshotLeft > 0) this.offset = undefined;
    this.stream?.close();
    this.stream = undefined;
    if (this.state === "detached") return;
    this.state = "detached";
    this.changed();
  }

  resize(columns: number, rows: number): void {
    if (this.state !== "attached" || this.snapshotLeft > 0 || this.info.exit) return;
    if (this.told.columns === columns && this.told.rows === rows) return;
    this.told = { columns, rows };
    // A size that could not be told is told again with the next attachment.
    this.host.resize(this.id, columns, rows).catch(() => undefined);
  }

  dispose(): void {
    this.wanted = false;
    this.detach();
  }
}

/** A workspace's terminals, as the agent lists them. */
export class Terminals extends Observable {
  private readonly sessions = new Map<number, TerminalSession>();
  /** Made here and not in any list yet: lists travel beside replies, and one without it is older than it. */
  private readonly unlisted = new Set<number>();
  ready = false;

  private readonly host: TerminalHost;

  constructor(host: TerminalHost) {
    super();
    this.host = host;
  }

  get all(): TerminalSession[] {
    return [...this.sessions.values()];
  }

  get(id: number): TerminalSession | undefined {
    return this.sessions.get(id);
  }

  async load(): Promise<void> {
    const list = await this.host.list();
    this.unlisted.clear();
    this.apply(list);
  }

  /** Takes the agent's whole list over. */
  apply(list: readonly TerminalInfo[]): void {
    this.ready = true;
    const ids = new Set(list.map((info) => info.id));
    for (const [id, session] of this.sessions) {
      if (ids.has(id)) this.unlisted.delete(id);
      if (ids.has(id) || this.unlisted.has(id)) continue;
      session.dispose();
      this.sessions.delete(id);
    }
    for (const info of list) this.add(info);
    this.changed();
  }

  private add(info: TerminalInfo): TerminalSession {
    const known = this.sessions.get(info.id);
    if (known) {
      known.update(info);
      return known;
    }
    const session = new TerminalSession(info, this.host);
    this.sessions.set(info.id, session);
    return session;
  }

  async create(
    options: {
      command?: string[];
      directory?: string;
      columns?: number;
      rows?: number;
      asRoot?: boolean;
    } = {},
  ): Promise<TerminalSession> {
    const { command = [], directory, columns = 80, rows = 24, asRoot = false } = options;
    const info = await this.host.create({
      command,
      columns,
      rows,
      ...(directory === undefined ? {} : { directory }),
      ...(asRoot && { asRoot }),
    });
    if (!this.sessions.has(info.id)) this.unlisted.add(info.id);
    const session = this.add(info);
    this.changed();
    return session;
  }

  async rename(id: number, name: string): Promise<void> {
    await this.host.rename(id, name);
    const session = this.sessions.get(id);
    if (!session) return;
    const rest = { ...session.info };
    delete rest.name;
    session.update(name === "" ? rest : { ...rest, name });
    this.changed();
  }

  async close(id: number): Promise<void> {
    await this.host.close(id);
    this.unlisted.delete(id);
    this.sessions.get(id)?.dispose();
    this.sessions.delete(id);
    this.changed();
  }

  connected(): void {
    for (const session of this.sessions.values()) session.reconnect();
  }

  disconnected(): void {
    for (const session of this.sessions.values()) session.lost();
  }

  dispose(): void {
    for (const session of this.sessions.values()) session.dispose();
    this.sessions.clear();
  }
}
