import { describe, expect, it } from "vitest";
import { GitDecorations } from "./git";

const state = (entries: [string, "modified" | "untracked" | "ignored" | "deleted" | "conflicted"][]) =>
  new GitDecorations({
    root: "/w",
    branch: "main",
    ahead: 0,
    behind: 0,
    entries: entries.map(([path, change]) => ({ path, change })),
  });

describe("Git colours", () => {
  it("reach the folders above, the most important first", () => {
    const git = state([
      ["/w/a/b/new", "untracked"],
      ["/w/a/changed", "modified"],
    ]);
    expect(git.of("/w/a/b")).toBe("untracked");
    expect(git.of("/w/a")).toBe("modified");
    expect(git.of("/w/other")).toBeUndefined();
  });

  it("reach what lies in a folder that Git names as a whole", () => {
    const git = state([
      ["/w/target/", "ignored"],
      ["/w/fresh/", "untracked"],
    ]);
    expect(git.of("/w/target/debug/x")).toBe("ignored");
    expect(git.of("/w/fresh/deep/file")).toBe("untracked");
    expect(git.of("/w")).toBe("untracked");
  });

  it("show a deleted file's folder as modified", () => {
    expect(state([["/w/a/gone", "deleted"]]).of("/w/a")).toBe("modified");
  });

  it("are absent outside a repository", () => {
    expect(new GitDecorations(null).of("/w/a")).toBeUndefined();
  });
});
