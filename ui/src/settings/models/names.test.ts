import { describe, expect, it } from "vitest";
import { type BackendSettings, type BrokerSettings, type ModelAlias } from "@/protocol/generated";
import { NO_MODELS } from "./fixture";
import {
  changeTarget,
  emptyNameDraft,
  moveTarget,
  type NameDraft,
  nameDraftOf,
  nameProblems,
  serverOf,
  turns,
  turnsOf,
  withName,
  withNameAgain,
  withoutName,
  withoutTarget,
  withTarget,
} from "./names";

const server = (id: string, enabled = true): BackendSettings => ({
  id,
  name: `${id}-name`,
  url: "http://127.0.0.1:8080/v1",
  kind: "open_ai",
  has_key: false,
  enabled,
});
const target = (backend: string, model: string, priority: number) => ({ backend, model, priority });
const FAST: ModelAlias = {
  name: "fast",
  targets: [target("b", "third", 7), target("a-name", "first", 0), target("b", "second", 0)],
};
const models = (change: Partial<BrokerSettings> = {}): BrokerSettings => ({
  ...NO_MODELS,
  backends: [server("off", false), server("a"), server("b")],
  aliases: [FAST, { name: "other", targets: [target("a", "m", 0)] }],
  ...change,
});
const { backends } = models();
const draft = nameDraftOf(FAST, backends);
const listed = ({ targets }: NameDraft) => targets.map(({ model }) => model);

describe("the order of a name's models", () => {
  it("is read from their priorities, and written without gaps", () => {
    expect(turnsOf(FAST.targets).map((turn) => turn.map(({ model }) => model))).toEqual([
      ["first", "second"],
      ["third"],
    ]);
    expect(listed(draft)).toEqual(["first", "second", "third"]);
    expect(draft.targets.map(({ together }) => together)).toEqual([false, true, false]);
    expect(withName(models(), draft).aliases[0]).toEqual({
      name: "fast",
      targets: [target("a", "first", 0), target("b", "second", 0), target("b", "third", 1)],
    });
  });

  it("is changed by moving one past its neighbour, up to the ends", () => {
    expect(listed(moveTarget(draft, 2, -1))).toEqual(["first", "third", "second"]);
    expect(listed(moveTarget(draft, 0, 1))).toEqual(["second", "first", "third"]);
    expect(moveTarget(draft, 0, -1)).toBe(draft);
    expect(moveTarget(draft, 2, 1)).toBe(draft);
  });

  it("begins anew with what came to the top", () => {
    const moved = moveTarget(draft, 1, -1);
    expect(moved.targets[0]?.together).toBe(true);
    expect(turns(moved.targets)).toEqual([0, 1, 2]);
  });

  it("has a turn of its own for one that no longer shares", () => {
    expect(turns(changeTarget(draft, 1, { together: false }).targets)).toEqual([0, 1, 2]);
    expect(turns(withoutTarget(draft, 0).targets)).toEqual([0, 1]);
  });
});

describe("a name as it is typed", () => {
  const problems = (change: Partial<NameDraft>) =>
    nameProblems({ ...draft, ...change }, models(), models().backends);

  it("begins with one model of a server in use", () => {
    const fresh = emptyNameDraft(backends);
    expect(fresh.targets).toMatchObject([{ server: "a", model: "" }]);
    expect(nameProblems(fresh, models(), models().backends).name).toContain("Give a name");
  });

  it("that is there may stay as it is", () => {
    expect(problems({})).toEqual({ targets: new Map() });
  });

  it.each([
    ["", "Give a name"],
    [" other ", "taken"],
    ["my model", "No spaces"],
    ["x".repeat(201), "At most 200"],
  ])("%j is refused", (name, why) => {
    expect(problems({ name }).name).toContain(why);
  });

  it("leads somewhere", () => {
    expect(problems({ targets: [] }).list).toContain("one model at least");
  });

  it("leads to servers that there are, to models that are named, and to each once", () => {
    const rows = [
      ["gone", "m"],
      ["a", " "],
      ["a", "m"],
      ["a", "m "],
      ["b", "m"],
    ] as const;
    const targets = rows.map(([name, model], key) => ({ key, server: name, model, together: false }));
    expect([...problems({ targets }).targets]).toEqual([
      [0, expect.stringContaining("“gone”")],
      [1, expect.stringContaining("Name a model")],
      [3, expect.stringContaining("above already")],
    ]);
  });

  it("gives each row a key of its own", () => {
    const more = withTarget(withTarget(withoutTarget(draft, 1), backends), backends);
    expect(new Set(more.targets.map(({ key }) => key)).size).toBe(4);
  });
});

describe("the names of the settings", () => {
  it("get a new one as the last, and keep the place of one that is changed", () => {
    const added = withName(models(), { ...draft, before: undefined, name: "new" });
    expect(added.aliases.map(({ name }) => name)).toEqual(["fast", "other", "new"]);
    const renamed = withName(models(), { ...draft, name: " quick " });
    expect(renamed.aliases.map(({ name }) => name)).toEqual(["quick", "other"]);
  });

  it("are as they were after undo", () => {
    expect(withNameAgain(withoutName(models(), "fast"), FAST, 0, backends)).toEqual(models());
  });

  it("lead to models of this machine too", () => {
    const local = { id: "local-1", name: "small", enabled: true };
    const there = [...backends, local];
    const named = withTarget({ before: undefined, name: "near", targets: [] }, [local]);
    const problems = nameProblems(changeTarget(named, 0, { model: "small" }), models(), there);
    expect(problems.targets.size).toBe(0);
    expect(serverOf({ backend: "local-1" }, there)).toBe(local);
  });

  it("are not given back where that cannot be", () => {
    const without = withoutName(models(), "fast");
    const taken = withName(without, { ...draft, before: undefined });
    expect(withNameAgain(taken, FAST, 0, backends)).toBe(taken);
    const lonely = { ...without, backends: [server("off")] };
    expect(withNameAgain(lonely, FAST, 0, lonely.backends)).toBe(lonely);
    const less = { ...without, backends: [server("a")] };
    expect(withNameAgain(less, FAST, 0, less.backends).aliases[0]?.targets).toEqual([
      target("a-name", "first", 0),
    ]);
  });
});
