import { describe, expect, it } from "vitest";
import { type SearchMessage, type SearchText } from "@/protocol/generated";
import { EMPTY_QUERY, globs, JsonLines, replacementOf, TextSearch } from "./search";

function started() {
  const runs: {
    query: SearchText;
    message: (message: SearchMessage) => void;
    end: (error?: string) => void;
    stopped: boolean;
  }[] = [];
  const search = new TextSearch("/w", {
    search: (query, on) => {
      const run = { query, message: on.message, end: (error?: string) => on.end(error), stopped: false };
      runs.push(run);
      return () => {
        run.stopped = true;
      };
    },
    replace: (_search, _replacement, files) =>
      Promise.resolve({ changed: files.slice(0, 1), replacements: 2, failed: [] }),
  });
  return { search, runs };
}

const match = (path: string, line: number): SearchMessage => ({
  kind: "matches",
  files: [{ path, lines: [{ line, column: 0, text: "abc", ranges: [{ start: 0, end: 1 }] }] }],
});

describe("a search in files", () => {
  it("gathers streamed matches by file", () => {
    const { search, runs } = started();
    search.setQuery({ pattern: "a" });
    search.start();
    runs[0]?.message(match("/w/x", 1));
    runs[0]?.message(match("/w/y", 2));
    runs[0]?.message(match("/w/x", 9));
    runs[0]?.message({ kind: "done", files_searched: 5, matches: 3, limited: false });
    runs[0]?.end();
    expect(search.rows.map((row) => (row.kind === "file" ? row.file.path : row.match.line))).toEqual([
      "/w/x",
      1,
      9,
      "/w/y",
      2,
    ]);
    expect(search.matchCount).toBe(3);
    expect(search.state).toEqual({ kind: "done", filesSearched: 5, limited: false });
  });

  it("stops the one before, whose late results are dropped", () => {
    const { search, runs } = started();
    search.setQuery({ pattern: "a" });
    search.start();
    search.setQuery({ pattern: "ab" });
    search.start();
    expect(runs[0]?.stopped).toBe(true);
    runs[0]?.message(match("/w/late", 1));
    expect(search.rows).toEqual([]);
  });

  it("can be cancelled, keeping what was found", () => {
    const { search, runs } = started();
    search.setQuery({ pattern: "a" });
    search.start();
    runs[0]?.message(match("/w/x", 1));
    search.cancel();
    expect(runs[0]?.stopped).toBe(true);
    expect(search.state.kind).toBe("cancelled");
    expect(search.fileCount).toBe(1);
  });

  it("takes replaced files out of its results", async () => {
    const { search, runs } = started();
    search.setQuery({ pattern: "a", replacement: "b" });
    search.start();
    runs[0]?.message(match("/w/x", 1));
    runs[0]?.message(match("/w/y", 1));
    await search.replace(["/w/x", "/w/y"]);
    expect(search.paths).toEqual(["/w/y"]);
  });
});

describe("globs as people type them", () => {
  it.each([
    ["src", ["**/src", "**/src/**"]],
    ["*.rs, *.ts", ["**/*.rs", "**/*.ts"]],
    ["./ui/src", ["ui/src", "ui/src/**"]],
    ["*.{a,b}", ["**/*.{a,b}"]],
    [" , ", []],
  ])("%s", (text, expected) => {
    expect(globs(text)).toEqual(expected);
  });
});

describe("the preview of a replacement", () => {
  const query = { ...EMPTY_QUERY, regex: true, pattern: "(\\w+)@(?<host>\\w+)", replacement: "${host}:$1$$" };
  it("puts groups in", () => {
    expect(replacementOf(query, "me@here")).toBe("here:me$");
  });
  it("is the text as typed where the page cannot work it out", () => {
    expect(replacementOf({ ...query, pattern: "(?x) a # rust only" }, "a")).toBe(query.replacement);
  });
});

describe("lines of JSON", () => {
  it("survive being cut anywhere, also inside a character", () => {
    const whole = new TextEncoder().encode('{"a":"ü"}\n{"b":2}\n');
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const lines = new JsonLines();
      expect([...lines.push(whole.slice(0, cut)), ...lines.push(whole.slice(cut))]).toEqual([
        { a: "ü" },
        { b: 2 },
      ]);
    }
  });
});
