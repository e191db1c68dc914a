import type {
  FileMatches,
  LineMatch,
  ReplaceOutcome,
  SearchMessage,
  SearchText,
} from "../../protocol/generated";
import { Observable } from "./observable";

export interface SearchQuery {
  pattern: string;
  replacement: string;
  regex: boolean;
  caseSensitive: boolean;
  wholeWord: boolean;
  include: string;
  exclude: string;
  includeIgnored: boolean;
}

export const EMPTY_QUERY: SearchQuery = {
  pattern: "",
  replacement: "",
  regex: false,
  caseSensitive: false,
  wholeWord: false,
  include: "",
  exclude: "",
  includeIgnored: false,
};

export const MAX_MATCHES = 20_000;

export type SearchRow =
  | { kind: "file"; file: FileMatches; collapsed: boolean; count: number }
  | { kind: "line"; path: string; match: LineMatch };

export type SearchState =
  | { kind: "idle" }
  | { kind: "running" }
  | { kind: "done"; filesSearched: number; limited: boolean }
  | { kind: "cancelled" }
  | { kind: "failed"; message: string };

export interface SearchHost {
  /** Starts a search; the returned function cancels it. */
  search(
    query: SearchText,
    on: { message: (message: SearchMessage) => void; end: (error: string | undefined) => void },
  ): () => void;
  replace(search: SearchText, replacement: string, files: string[]): Promise<ReplaceOutcome>;
}

/** Turns a stream's bytes into the JSON values that its lines hold. */
export class JsonLines {
  private readonly decoder = new TextDecoder();
  private rest = "";

  push(bytes: Uint8Array): unknown[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    const lines = this.rest.split("\n");
    this.rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "").map((line): unknown => JSON.parse(line));
  }
}

/** One search in a workspace's files, with its results as a flat list of rows. */
export class TextSearch extends Observable {
  query: SearchQuery = EMPTY_QUERY;
  state: SearchState = { kind: "idle" };
  matchCount = 0;

  private files: FileMatches[] = [];
  private collapsed = new Set<string>();
  private flat: SearchRow[] | undefined;
  private stop: (() => void) | undefined;
  private run = 0;

  readonly root: string;
  private readonly host: SearchHost;

  constructor(root: string, host: SearchHost) {
    super();
    this.root = root;
    this.host = host;
  }

  get rows(): readonly SearchRow[] {
    if (!this.flat) {
      this.flat = [];
      for (const file of this.files) {
        const collapsed = this.collapsed.has(file.path);
        this.flat.push({ kind: "file", file, collapsed, count: countMatches(file) });
        if (!collapsed)
          for (const match of file.lines) this.flat.push({ kind: "line", path: file.path, match });
      }
    }
    return this.flat;
  }

  get fileCount(): number {
    return this.files.length;
  }

  get paths(): string[] {
    return this.files.map((file) => file.path);
  }

  setQuery(change: Partial<SearchQuery>): void {
    this.query = { ...this.query, ...change };
    this.changed();
  }

  start(): void {
    this.stop?.();
    this.run += 1;
    const run = this.run;
    this.files = [];
    this.matchCount = 0;
    this.collapsed.clear();
    if (this.query.pattern === "") {
      this.stop = undefined;
      this.state = { kind: "idle" };
      this.touched();
      return;
    }
    this.state = { kind: "running" };
    this.touched();
    this.stop = this.host.search(this.request(), {
      message: (message) => {
        if (run === this.run) this.take(message);
      },
      end: (error) => {
        if (run !== this.run) return;
        this.stop = undefined;
        if (error !== undefined) this.state = { kind: "failed", message: error };
        else if (this.state.kind === "running")
          this.state = { kind: "done", filesSearched: 0, limited: false };
        this.touched();
      },
    });
  }

  cancel(): void {
    if (this.state.kind !== "running") return;
    this.run += 1;
    this.stop?.();
    this.stop = undefined;
    this.state = { kind: "cancelled" };
    this.touched();
  }

  toggle(path: string): void {
    if (!this.collapsed.delete(path)) this.collapsed.add(path);
    this.touched();
  }

  setAllCollapsed(collapsed: boolean): void {
    this.collapsed = new Set(collapsed ? this.paths : []);
    this.touched();
  }

  get anyExpanded(): boolean {
    return this.files.some((file) => !this.collapsed.has(file.path));
  }

  /** Takes a file's results out of the list. */
  dismiss(path: string): void {
    this.files = this.files.filter((file) => file.path !== path);
    this.matchCount = this.files.reduce((sum, file) => sum + countMatches(file), 0);
    this.touched();
  }

  /** Replaces every match in `files`. */
  async replace(files: string[]): Promise<ReplaceOutcome> {
    const outcome = await this.host.replace(this.request(), this.query.replacement, files);
    for (const path of outcome.changed) this.files = this.files.filter((file) => file.path !== path);
    this.matchCount = this.files.reduce((sum, file) => sum + countMatches(file), 0);
    this.touched();
    return outcome;
  }

  request(): SearchText {
    const { pattern, regex, caseSensitive, wholeWord, include, exclude, includeIgnored } = this.query;
    return {
      root: this.root,
      pattern,
      regex,
      case_sensitive: caseSensitive,
      whole_word: wholeWord,
      include: globs(include),
      exclude: globs(exclude),
      include_ignored: includeIgnored,
      max_matches: MAX_MATCHES,
    };
  }

  private take(message: SearchMessage): void {
    if (message.kind === "done") {
      this.state = { kind: "done", filesSearched: message.files_searched, limited: message.limited };
    } else {
      const known = new Map(this.files.map((file, index) => [file.path, index]));
      for (const file of message.files) {
        const index = known.get(file.path);
        const before = index === undefined ? undefined : this.files[index];
        if (before && index !== undefined)
          this.files[index] = { path: file.path, lines: [...before.lines, ...file.lines] };
        else this.files.push(file);
        this.matchCount += countMatches(file);
      }
    }
    this.touched();
  }

  private touched(): void {
    this.flat = undefined;
    this.changed();
  }

  dispose(): void {
    this.run += 1;
    this.stop?.();
  }
}

/** Splits a list of globs at its commas, as people type it; a plain name or folder matches at any depth. */
export function globs(text: string): string[] {
  return splitGlobs(text).flatMap((glob) => {
    if (glob.startsWith("./")) return [glob.slice(2), `${glob.slice(2)}/**`];
    if (/[*?[{]/.test(glob)) return [glob.includes("/") ? glob : `**/${glob}`];
    const clean = glob.replace(/\/+$/, "");
    return [`**/${clean}`, `**/${clean}/**`];
  });
}

function splitGlobs(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const char of text) {
    if (char === "{") depth += 1;
    if (char === "}") depth -= 1;
    if (char === "," && depth <= 0) {
      parts.push(part);
      part = "";
    } else part += char;
  }
  parts.push(part);
  return parts.map((glob) => glob.trim()).filter((glob) => glob !== "");
}

/** What a match becomes, for the preview; the text as typed where the page cannot work it out. */
export function replacementOf(query: SearchQuery, matched: string): string {
  if (!query.regex) return query.replacement;
  try {
    const pattern = new RegExp(`^(?:${query.pattern})$`, query.caseSensitive ? "us" : "ius");
    const match = pattern.exec(matched);
    if (!match) return query.replacement;
    return query.replacement.replace(
      /\$(?:\$|\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, plain?: string) => {
        if (whole === "$$") return "$";
        const name = braced ?? plain ?? "";
        return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? "";
      },
    );
  } catch {
    return query.replacement;
  }
}

function countMatches(file: FileMatches): number {
  return file.lines.reduce((sum, line) => sum + line.ranges.length, 0);
}
