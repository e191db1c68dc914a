import { describe, expect, it } from "vitest";
import { type DirEntry } from "@/protocol/generated";
import { FileTree } from "./tree";

type Disk = Record<string, string[]>;

/** A tree over folders given as `{ "/w": ["dir/", "file"] }`; names that end in a slash are folders. */
function treeOf(disk: Disk): FileTree {
  return new FileTree("/w", (path, first = Infinity) => {
    const names = disk[path];
    if (!names) return Promise.reject(new Error(`${path} does not exist`));
    const entries = names.map((name): DirEntry => ({
      name: name.replace("/", ""),
      kind: name.endsWith("/") ? "directory" : "file",
    }));
    const more = entries.length > first;
    return Promise.resolve({ entries: entries.slice(0, first), truncated: false, more });
  });
}

function lines(tree: FileTree): string[] {
  return tree.rows.map((row) =>
    row.kind === "node" ? "  ".repeat(row.node.depth) + row.node.name : `(${row.kind} in ${row.parent})`,
  );
}

describe("the file tree", () => {
  it("shows the first of very many entries before all of them have come", async () => {
    const names = Array.from({ length: 5000 }, (_, index) => `file-${String(index).padStart(4, "0")}`);
    const tree = treeOf({ "/w": names });
    const sizes: number[] = [];
    tree.subscribe(() => sizes.push(tree.rows.length));
    await tree.load();
    expect(sizes).toContain(1000);
    expect(tree.rows.length).toBe(5000);
  });

  it("gives the focus after a deletion to the entry below, else to the one above", async () => {
    const tree = treeOf({ "/w": ["src/", "a", "b"], "/w/src": ["main"] });
    await tree.load(["/w/src"]);
    expect(tree.neighbourOf(["/w/src"])).toBe("/w/a");
    expect(tree.neighbourOf(["/w/a", "/w/b"])).toBe("/w/src/main");
    expect(tree.neighbourOf(["/w/src", "/w/a", "/w/b"])).toBeUndefined();
  });

  it("selects everything that is shown", async () => {
    const tree = treeOf({ "/w": ["src/", "a"], "/w/src": ["main"] });
    await tree.load(["/w/src"]);
    tree.selectAll();
    expect([...tree.selected]).toEqual(["/w/src", "/w/src/main", "/w/a"]);
    expect(tree.chosen).toEqual(["/w/src", "/w/a"]);
  });

  it("leaves the agent's folder out at the top of a container, and nowhere else", async () => {
    const list = () =>
      Promise.resolve({
        entries: [{ name: ".aicockpit", kind: "directory" as const }],
        truncated: false,
        more: false,
      });
    const top = new FileTree("/", list);
    await top.load();
    expect(lines(top)).toEqual([]);
    const below = new FileTree("/w", list);
    await below.load();
    expect(lines(below)).toEqual([".aicockpit"]);
  });

  it("reads a folder when it is opened, and shows it below its name", async () => {
    const tree = treeOf({ "/w": ["src/", "a"], "/w/src": ["main"] });
    await tree.load();
    expect(lines(tree)).toEqual(["src", "a"]);
    await tree.expand("/w/src");
    expect(lines(tree)).toEqual(["src", "  main", "a"]);
    tree.collapse("/w/src");
    expect(lines(tree)).toEqual(["src", "a"]);
  });

  it("opens the folders that were open before, also inside closed ones", async () => {
    const tree = treeOf({ "/w": ["a/"], "/w/a": ["b/"], "/w/a/b": ["c"] });
    await tree.load(["/w/a", "/w/a/b", "/elsewhere"]);
    expect(lines(tree)).toEqual(["a", "  b", "    c"]);
    expect(tree.expanded).toEqual(["/w/a", "/w/a/b"]);
  });

  it("reads again what changed while a folder around it was closed", async () => {
    const disk: Disk = { "/w": ["a/"], "/w/a": ["b/"], "/w/a/b": ["old"] };
    const tree = treeOf(disk);
    await tree.load(["/w/a", "/w/a/b"]);
    tree.collapse("/w/a");
    disk["/w/a/b"] = ["new"];
    await tree.refresh(["/w/a/b"]);
    await tree.expand("/w/a");
    expect(lines(tree)).toEqual(["a", "  b", "    new"]);
  });

  it("forgets the focus and the open state of what is gone", async () => {
    const disk: Disk = { "/w": ["a/", "b"], "/w/a": ["x"] };
    const tree = treeOf(disk);
    await tree.load(["/w/a"]);
    tree.focusOnly("/w/a");
    disk["/w"] = ["b"];
    await tree.refresh(["/w"]);
    expect(tree.focused).toBeUndefined();
    expect(tree.expanded).toEqual([]);
    expect(lines(tree)).toEqual(["b"]);
  });

  it("keeps the newest of two readings that overtook each other", async () => {
    const answers: ((names: string[]) => void)[] = [];
    const tree = new FileTree(
      "/w",
      () =>
        new Promise((resolve) =>
          answers.push((names) =>
            resolve({
              entries: names.map((name) => ({ name, kind: "file" as const })),
              truncated: false,
              more: false,
            }),
          ),
        ),
    );
    const first = tree.refresh(["/w"]);
    const second = tree.refresh(["/w"]);
    answers[1]?.(["new"]);
    answers[0]?.(["old"]);
    await Promise.all([first, second]);
    expect(lines(tree)).toEqual(["new"]);
  });

  it("moves by arrow keys, into and out of folders", async () => {
    const tree = treeOf({ "/w": ["a/", "b"], "/w/a": ["x"] });
    await tree.load();
    tree.focusEdge(false);
    expect(tree.focused).toBe("/w/a");
    await tree.right();
    await tree.right();
    expect(tree.focused).toBe("/w/a/x");
    tree.moveFocus(1);
    expect(tree.focused).toBe("/w/b");
    tree.moveFocus(1);
    expect(tree.focused).toBe("/w/b");
    tree.moveFocus(-1);
    await tree.left();
    expect(tree.focused).toBe("/w/a");
    await tree.left();
    expect(lines(tree)).toEqual(["a", "b"]);
  });

  it("selects from the anchor with Shift, and leaves out what lies in selected folders", async () => {
    const tree = treeOf({ "/w": ["a/", "b", "c"], "/w/a": ["x"] });
    await tree.load(["/w/a"]);
    tree.focusOnly("/w/a");
    tree.selectTo("/w/b");
    expect([...tree.selected]).toEqual(["/w/a", "/w/a/x", "/w/b"]);
    expect(tree.chosen).toEqual(["/w/a", "/w/b"]);
  });

  it("finds by typing: letters in quick succession make a word, the same letter again goes on", async () => {
    const tree = treeOf({ "/w": ["alpha", "beta", "brave", "bravo"] });
    await tree.load();
    tree.typeAhead("b", 0);
    expect(tree.focused).toBe("/w/beta");
    tree.typeAhead("r", 100);
    expect(tree.focused).toBe("/w/brave");
    tree.typeAhead("b", 5000);
    expect(tree.focused).toBe("/w/bravo");
    tree.typeAhead("b", 5100);
    expect(tree.focused).toBe("/w/beta");
  });

  it("shows where a new file is being named, and why a folder could not be read", async () => {
    const tree = treeOf({ "/w": ["a/", "locked/"], "/w/a": ["x"] });
    await tree.load();
    tree.startEdit({ kind: "create", parent: "/w/a", directory: false });
    await tree.expand("/w/a");
    expect(lines(tree)).toEqual(["a", "(input in /w/a)", "  x", "locked"]);
    tree.endEdit();
    await tree.expand("/w/locked");
    expect(lines(tree)).toEqual(["a", "  x", "locked", "(note in /w/locked)"]);
  });

  it("follows a renamed folder without closing it", async () => {
    const disk: Disk = { "/w": ["a/"], "/w/a": ["x"] };
    const tree = treeOf(disk);
    await tree.load(["/w/a"]);
    disk["/w"] = ["b/"];
    disk["/w/b"] = ["x"];
    tree.followMove("/w/a", "/w/b");
    await tree.refresh(["/w"]);
    expect(lines(tree)).toEqual(["b", "  x"]);
  });

  it("shows a folder of 100,000 without asking for each", async () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `file${index}`);
    const tree = treeOf({ "/w": names });
    await tree.load();
    expect(tree.rows.length).toBe(100_000);
    expect(tree.indexOf("/w/file99999")).toBe(99_999);
  });
});
