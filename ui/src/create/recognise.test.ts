import { describe, expect, it } from "vitest";
import { recognise } from "./recognise";

const kinds = (text: string) => recognise(text).map((reading) => reading.kind);

describe("what was typed is recognised", () => {
  it.each([
    ["", ["name"]],
    ["https://github.com/owner/repo", ["git"]],
    ["git@github.com:owner/repo.git", ["git"]],
    ["git clone https://example.org/x.git", ["git"]],
    ["github.com/owner/repo", ["git"]],
    ["file:///srv/git/project", ["git"]],
    ["/home/me/project", ["folder", "git"]],
    ["/srv/git/project.git", ["git", "folder"]],
    ["C:\\Users\\me\\project", ["folder", "git"]],
    ["python:3.13", ["image", "name"]],
    ["ubuntu", ["image", "name"]],
    ["registry.example.org:5000/team/tool:1", ["image"]],
    ["owner/repo", ["image", "git"]],
    ["my-experiment", ["name", "image"]],
    ["My experiment", ["name"]],
  ])("%j", (text, expected) => {
    expect(kinds(text)).toEqual(expected);
  });

  it("takes the branch from a forge's page and from a fragment", () => {
    expect(recognise("https://github.com/o/r/tree/feature/x")[0]?.source).toEqual({
      kind: "git",
      url: "https://github.com/o/r",
      branch: "feature/x",
    });
    expect(recognise("https://example.org/r.git#v2")[0]?.source).toEqual({
      kind: "git",
      url: "https://example.org/r.git",
      branch: "v2",
    });
  });

  it("says what is wrong with a relative folder", () => {
    expect(recognise("~/project")[0]?.problem).toContain("whole path");
  });
});
