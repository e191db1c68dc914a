import { describe, expect, it } from "vitest";
import {
  ancestors,
  basename,
  dirname,
  extension,
  isWithin,
  join,
  moved,
  nameProblem,
  relative,
  resolve,
  shown,
} from "./path";

describe("paths", () => {
  it("are taken apart and put together as the kernel does", () => {
    expect(join("/", "a")).toBe("/a");
    expect(join("/a", "b")).toBe("/a/b");
    expect(dirname("/a")).toBe("/");
    expect(basename("/a/b.rs")).toBe("b.rs");
    expect(extension("/a/.gitignore")).toBe("");
    expect(extension("/a/B.RS")).toBe("rs");
  });

  it("do not take a longer name for the inside of a folder", () => {
    expect(isWithin("/a/b", "/a/bc")).toBe(false);
    expect(isWithin("/a/b", "/a/b/c")).toBe(true);
    expect(isWithin("/", "/x")).toBe(true);
  });

  it("are relative only within their root", () => {
    expect(relative("/w", "/w/a/b")).toBe("a/b");
    expect(relative("/", "/a")).toBe("a");
    expect(relative("/w", "/etc/hosts")).toBe("/etc/hosts");
  });

  it("resolve dots, and never climb above the root", () => {
    expect(resolve("/w/src", "../lib/./a.rs")).toBe("/w/lib/a.rs");
    expect(resolve("/w", "../../../etc")).toBe("/etc");
    expect(resolve("/w", "/abs")).toBe("/abs");
  });

  it("name the folders between a root and a file", () => {
    expect(ancestors("/w", "/w/a/b/c.rs")).toEqual(["/w/a", "/w/a/b"]);
    expect(ancestors("/", "/a/b")).toEqual(["/a"]);
    expect(ancestors("/w", "/other/x")).toEqual([]);
  });

  it("follow a moved folder", () => {
    expect(moved("/w/a/x", "/w/a", "/w/b")).toBe("/w/b/x");
    expect(moved("/w/ab", "/w/a", "/w/b")).toBe("/w/ab");
  });

  it("show bytes and characters that would hide themselves", () => {
    expect(shown("a\uf7ffb")).toBe("a\\xffb");
    expect(shown("safe\u202etxt.exe")).toBe("safe\\u{202e}txt.exe");
    expect(shown("two\nlines")).toBe("two\\nlines");
    expect(shown("ordinary ünïcode 名前")).toBe("ordinary ünïcode 名前");
  });

  it("refuse names that no file can have", () => {
    expect(nameProblem("")).toBeDefined();
    expect(nameProblem("..")).toBeDefined();
    expect(nameProblem("a//b")).toBeDefined();
    expect(nameProblem("ü".repeat(128))).toBeDefined();
    expect(nameProblem("a/b/c.txt")).toBeUndefined();
    expect(nameProblem("folder/")).toBeUndefined();
  });
});
