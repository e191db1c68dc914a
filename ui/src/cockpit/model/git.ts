import type { GitChange, GitState } from "../../protocol/generated";
import { dirname, isWithin } from "./path";

/** From the most to the least important: a folder shows the first that applies to something within it. */
const ORDER: readonly GitChange[] = [
  "conflicted",
  "modified",
  "deleted",
  "renamed",
  "added",
  "untracked",
  "ignored",
];

/** The Git colours of paths, folders included. */
export class GitDecorations {
  private readonly own = new Map<string, GitChange>();
  private readonly inherited = new Map<string, GitChange>();

  readonly state: GitState | null;

  constructor(state: GitState | null) {
    this.state = state;
    if (!state) return;
    for (const { path, change } of state.entries) {
      const clean = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
      this.own.set(clean, change);
      if (change === "ignored") continue;
      // A deleted or renamed file makes its folder merely modified.
      const above: GitChange = change === "deleted" || change === "renamed" ? "modified" : change;
      for (let at = dirname(clean); isWithin(state.root, at); at = dirname(at)) {
        const known = this.inherited.get(at);
        if (known !== undefined && ORDER.indexOf(known) <= ORDER.indexOf(above)) break;
        this.inherited.set(at, above);
        if (at === state.root || at === "/") break;
      }
    }
  }

  /** How `path` or something within it differs from the last commit. */
  of(path: string): GitChange | undefined {
    const direct = this.own.get(path) ?? this.inherited.get(path);
    if (direct || !this.state || !isWithin(this.state.root, path)) return direct;
    // Git names only the folder where everything within is untracked or ignored.
    for (let at = dirname(path); at !== "/" && isWithin(this.state.root, at); at = dirname(at)) {
      const change = this.own.get(at);
      if (change === "untracked" || change === "ignored") return change;
    }
    return undefined;
  }
}

/** The letter beside a changed file, as `git status` and editors write it. */
export const GIT_LETTERS: Record<GitChange, string> = {
  modified: "M",
  added: "A",
  deleted: "D",
  renamed: "R",
  untracked: "U",
  ignored: "",
  conflicted: "!",
};

export const GIT_WORDS: Record<GitChange, string> = {
  modified: "Modified",
  added: "Added",
  deleted: "Deleted",
  renamed: "Renamed",
  untracked: "Untracked",
  ignored: "Ignored",
  conflicted: "Conflict",
};
