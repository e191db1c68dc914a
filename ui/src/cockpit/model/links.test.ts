import { describe, expect, it } from "vitest";
import { findPaths } from "./links";

const found = (text: string) => findPaths(text).map(({ path, line, column }) => ({ path, line, column }));

describe("paths in a terminal's output", () => {
  it.each([
    ["error at src/main.rs:12:5", { path: "src/main.rs", line: 12, column: 5 }],
    ["  --> crates/a/src/lib.rs:3:1", { path: "crates/a/src/lib.rs", line: 3, column: 1 }],
    ['  File "/usr/lib/x.py", line 7, in f', { path: "/usr/lib/x.py", line: 7, column: undefined }],
    ["src/app.ts(10,2): error TS1", { path: "src/app.ts", line: 10, column: 2 }],
    ["./run.sh: not found", { path: "./run.sh", line: undefined, column: undefined }],
    ["main.go:9: oops", { path: "main.go", line: 9, column: undefined }],
    ["see ~/notes/todo.md.", { path: "~/notes/todo.md", line: undefined, column: undefined }],
  ])("%s", (text, link) => {
    expect(found(text)).toContainEqual(link);
  });

  it("leave addresses and plain words alone", () => {
    expect(found("https://example.com/a/b.html")).toEqual([]);
    expect(found("version 1.2.3 of foo")).toEqual([]);
    expect(found("just words")).toEqual([]);
  });

  it("mark where they stand, position included", () => {
    expect(findPaths("at a/b.c:4 now")[0]).toMatchObject({ start: 3, end: 10 });
  });
});
