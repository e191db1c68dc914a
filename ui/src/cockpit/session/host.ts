import {
  CallError,
  fromApiError,
  type Client,
  type OperationName,
  type Params,
  type Reply,
  type Stream,
} from "@/client";
import { MAX_FILE_CHUNK, type FileStat, type SearchMessage, type WriteCondition } from "@/protocol/generated";
import { type DocumentFiles } from "../model/document";
import { JsonLines, type SearchHost } from "../model/search";
import { type TerminalHost, type TerminalStream } from "../model/terminals";

/** Operations about the inside of one workspace. */
type InsideOperation = {
  [O in OperationName]: Params<O> extends { workspace: string; args: unknown } ? O : never;
}[OperationName];
type Args<O extends InsideOperation> = Params<O> extends { args: infer A } ? A : never;

const READ_ATTEMPTS = 3;

/** One workspace's side of the client: what the cockpit's models ask of it. */
export class WorkspaceHost {
  readonly client: Client;
  readonly workspace: string;

  constructor(client: Client, workspace: string) {
    this.client = client;
    this.workspace = workspace;
  }

  call<O extends InsideOperation>(op: O, args: Args<O>, body?: Uint8Array): Promise<Reply<O>> {
    return this.client.call(op, this.params<O>(args), body ? { body } : {});
  }

  private params<O extends InsideOperation>(args: Args<O>): Params<O> {
    return { workspace: this.workspace, args } as unknown as Params<O>;
  }

  /** Reads a whole file by ranges; begins anew where it changes meanwhile. */
  async read(
    path: string,
    progress?: (share: number) => void,
  ): Promise<{ stat: FileStat; bytes: Uint8Array<ArrayBuffer> }> {
    for (let attempt = 1; ; attempt += 1) {
      const whole = await this.readOnce(path, progress);
      if (whole) return whole;
      if (attempt === READ_ATTEMPTS) {
        throw new CallError({
          code: "conflict",
          message: "The file keeps changing while it is read.",
          hint: "Open it again once the program that writes it has finished.",
        });
      }
    }
  }

  private async readOnce(
    path: string,
    progress?: (share: number) => void,
  ): Promise<{ stat: FileStat; bytes: Uint8Array<ArrayBuffer> } | undefined> {
    const first = await this.readRange(path, 0);
    const { size, version } = first.stat;
    if (first.bytes.length >= size) return first;
    const bytes = new Uint8Array(size);
    bytes.set(first.bytes);
    for (let offset = first.bytes.length; offset < size;) {
      progress?.(offset / size);
      const next = await this.readRange(path, offset);
      if (next.stat.version !== version || next.bytes.length === 0) return undefined;
      bytes.set(next.bytes.subarray(0, size - offset), offset);
      offset += next.bytes.length;
    }
    return { stat: first.stat, bytes };
  }

  private async readRange(
    path: string,
    offset: number,
  ): Promise<{ stat: FileStat; bytes: Uint8Array<ArrayBuffer> }> {
    const params = this.params<"fs.read">({ path, offset, length: MAX_FILE_CHUNK });
    const { reply, body } = await this.client.callWithBody("fs.read", params);
    return { stat: reply, bytes: body };
  }

  async write(path: string, condition: WriteCondition, bytes: Uint8Array): Promise<FileStat> {
    if (bytes.length <= MAX_FILE_CHUNK)
      return this.call("fs.write", { path, condition, create_parents: true }, bytes);
    return this.upload(path, condition, chunks(bytes));
  }

  /** Sends a file of any size; `progress` gets the bytes sent so far. */
  async upload(
    path: string,
    condition: WriteCondition,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { progress?: (sent: number) => void; signal?: AbortSignal } = {},
  ): Promise<FileStat> {
    const opened = await this.call("fs.upload", { path, condition });
    const stream = this.client.stream(opened.stream);
    stream.onData((_bytes, consumed) => consumed());
    let sent = 0;
    for await (const chunk of content) {
      if (options.signal?.aborted) {
        stream.close();
        throw new CallError({ code: "cancelled", message: "The upload was cancelled." });
      }
      // A write that fails because the host ended the stream has its reason in the end.
      const written = await stream.write(chunk).then(
        () => true,
        () => false,
      );
      if (!written) break;
      sent += chunk.length;
      options.progress?.(sent);
    }
    stream.finish();
    const end = await stream.ended;
    if (end.kind === "finished" && end.stat) return end.stat;
    if (end.kind === "failed") throw fromApiError(end.error);
    throw new CallError({ code: "internal", message: "The upload broke off; the file was not written." });
  }

  /** Gives a file's bytes, or a tar archive of a directory. */
  async download(
    path: string,
    take: (bytes: Uint8Array<ArrayBuffer>) => Promise<void> | void,
  ): Promise<void> {
    const opened = await this.call("fs.download", { path });
    const stream = this.client.stream(opened.stream);
    let queue: Promise<void> = Promise.resolve();
    let failed: unknown;
    stream.onData((bytes, consumed) => {
      queue = queue
        .then(() => take(bytes))
        .then(consumed, (error: unknown) => {
          failed ??= error;
          stream.close();
        });
    });
    const end = await stream.ended;
    await queue;
    if (failed !== undefined)
      throw failed instanceof Error ? failed : new Error("the bytes could not be stored");
    if (end.kind === "failed") throw fromApiError(end.error);
    if (end.kind !== "finished")
      throw new CallError({ code: "disconnected", message: "The download broke off." });
  }

  get documentFiles(): DocumentFiles {
    return {
      stat: (path) => this.call("fs.stat", { path }),
      read: (path, progress) => this.read(path, progress),
      write: (path, condition, bytes) => this.write(path, condition, bytes),
      putDraft: async (draft, bytes) => void (await this.call("draft.put", draft, bytes)),
      listDrafts: () => this.client.call("draft.list", { workspace: this.workspace }),
      getDraft: async (path) => {
        const { reply, body } = await this.client.callWithBody(
          "draft.get",
          this.params<"draft.get">({ path }),
        );
        return { draft: reply, bytes: body };
      },
      deleteDraft: async (path) => void (await this.call("draft.delete", { path })),
    };
  }

  get terminalHost(): TerminalHost {
    return {
      list: () => this.client.call("terminal.list", { workspace: this.workspace }),
      create: ({ asRoot, ...options }) =>
        this.call(asRoot ? "terminal.create_as_root" : "terminal.create", options),
      attach: async (terminal, from) => {
        const reply = await this.call(
          "terminal.attach",
          from === undefined ? { terminal } : { terminal, from },
        );
        return { attached: reply.attached, stream: terminalStream(this.client.stream(reply.stream)) };
      },
      resize: async (terminal, columns, rows) =>
        void (await this.call("terminal.resize", { terminal, columns, rows })),
      rename: async (terminal, name) => void (await this.call("terminal.rename", { terminal, name })),
      close: async (terminal) => void (await this.call("terminal.close", { terminal })),
    };
  }

  get searchHost(): SearchHost {
    return {
      search: (query, on) => {
        const abort = new AbortController();
        let stream: Stream | undefined;
        void (async () => {
          try {
            const params = this.params<"search.text">(query);
            const opened = await this.client.call("search.text", params, { signal: abort.signal });
            stream = this.client.stream(opened.stream);
            if (abort.signal.aborted) return stream.close();
            const lines = new JsonLines();
            stream.onData((bytes, consumed) => {
              for (const message of lines.push(bytes)) on.message(message as SearchMessage);
              consumed();
            });
            const end = await stream.ended;
            on.end(end.kind === "failed" ? end.error.message : undefined);
          } catch (error) {
            on.end(error instanceof Error ? error.message : String(error));
          }
        })();
        return () => {
          abort.abort();
          stream?.close();
        };
      },
      replace: (search, replacement, files) => this.call("search.replace", { search, replacement, files }),
    };
  }
}

function* chunks(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1024 * 1024) yield bytes.subarray(at, at + 1024 * 1024);
}

/** A client stream as a terminal uses it: data may arrive before the terminal listens. */
function terminalStream(stream: Stream): TerminalStream {
  return {
    listen: (onData, onEnd) => {
      stream.onData(onData);
      void stream.ended.then((end) =>
        onEnd(end.kind === "disconnected" ? { kind: "failed" } : { kind: end.kind }),
      );
    },
    send: (bytes) => {
      // What cannot be sent any more is lost with its connection, which the screen shows.
      stream.write(bytes).catch(() => undefined);
    },
    close: () => stream.close(),
  };
}
