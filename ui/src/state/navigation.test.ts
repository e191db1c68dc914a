import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

beforeEach(() => vi.resetModules());
afterEach(() => vi.unstubAllGlobals());

async function load(hash: string) {
  vi.stubGlobal("location", { hash });
  return import("./navigation");
}

describe("the address", () => {
  it.each(["#/", "#/workspace/aaaaaaaaaaaaaaa1", "#/settings/engines", "#/settings/models/local"])(
    "%s opens its view when the page loads",
    async (hash) => {
      const { useNavigation, formatHash } = await load(hash);
      expect(formatHash(useNavigation.getState().view)).toBe(hash);
    },
  );

  it("that means nothing leads home", async () => {
    const { parseHash } = await load("");
    expect(parseHash("#/workspace/../../x")).toEqual({ kind: "home" });
    expect(parseHash("#/settings/other")).toEqual({ kind: "settings", section: "general" });
    expect(parseHash("#/settings/models/other")).toEqual({ kind: "settings", section: "models" });
    expect(parseHash("#/workspace/aaaaaaaaaaaaaaa1/local")).toEqual({ kind: "home" });
  });
});

describe("tabs", () => {
  it("open beside each other and close to their neighbour", async () => {
    const { useNavigation, showWorkspace, closeTab } = await load("");
    for (const id of ["a", "b", "c"]) showWorkspace(id);
    showWorkspace("b");
    closeTab("b");
    expect(useNavigation.getState()).toMatchObject({
      tabs: ["a", "c"],
      view: { kind: "workspace", id: "c" },
    });
    closeTab("c");
    closeTab("a");
    expect(useNavigation.getState().view).toEqual({ kind: "home" });
  });

  it("are stepped through in a circle, home included", async () => {
    const { useNavigation, showWorkspace, goHome, stepTab } = await load("");
    showWorkspace("a");
    goHome();
    stepTab(-1);
    expect(useNavigation.getState().view).toEqual({ kind: "workspace", id: "a" });
    stepTab(1);
    expect(useNavigation.getState().view).toEqual({ kind: "home" });
  });
});
