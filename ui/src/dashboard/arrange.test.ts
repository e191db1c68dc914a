import { expect, it } from "vitest";
import { type Workspace } from "@/protocol/generated";
import { arrange, DEFAULT_ARRANGEMENT, toRows } from "./arrange";

function workspace(id: string, change: Partial<Workspace> = {}): Workspace {
  return {
    id,
    name: id,
    engine: "docker",
    spec: {
      source: { kind: "empty" },
      image: { kind: "base" },
      profile: "standard",
      limits: {},
      trust_host_certificates: false,
      gpu: false,
      published_ports: [],
      env: {},
    },
    state: "running",
    created_ms: 0,
    imported: false,
    ...change,
  };
}

const list = [
  workspace("alpha", { last_used_ms: 1 }),
  workspace("beta", { last_used_ms: 3, state: "stopped" }),
  workspace("gamma", { last_used_ms: 2, state: "failed", branch: "topic" }),
];
const names = (groups: ReturnType<typeof arrange>) =>
  groups.map((group) => [group.title, group.workspaces.map((entry) => entry.name)]);

it("sorts by last use, the latest first", () => {
  expect(names(arrange(list, [], DEFAULT_ARRANGEMENT, ""))).toEqual([
    [undefined, ["beta", "gamma", "alpha"]],
  ]);
});

it("filters by state and by what is typed, branch included", () => {
  expect(names(arrange(list, [], { ...DEFAULT_ARRANGEMENT, states: ["stopped"] }, ""))).toEqual([
    [undefined, ["beta"]],
  ]);
  expect(names(arrange(list, [], DEFAULT_ARRANGEMENT, "topic"))).toEqual([[undefined, ["gamma"]]]);
});

it("groups by state, what needs attention first, and counts items across groups", () => {
  const groups = arrange(list, [], { ...DEFAULT_ARRANGEMENT, group: "state" }, "");
  expect(names(groups)).toEqual([
    ["Failed", ["gamma"]],
    ["Running", ["alpha"]],
    ["Stopped", ["beta"]],
  ]);
  expect(toRows(groups, 2).flatMap((row) => (row.kind === "items" ? [row.first] : []))).toEqual([0, 1, 2]);
});
