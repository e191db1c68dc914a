import { describe, expect, it } from "vitest";
import { type BackendSettings, type LocalServerSettings, type Settings } from "@/protocol/generated";
import { NO_MODELS } from "./fixture";
import { namesOf, withoutServer, withServerAgain } from "./removal";

const server = (id: string, change: Partial<BackendSettings> = {}): BackendSettings => ({
  id,
  name: `${id}-name`,
  url: "http://127.0.0.1:8080/v1",
  kind: "open_ai",
  has_key: false,
  enabled: true,
  ...change,
});
const own = (id: string): LocalServerSettings => ({
  id,
  name: `${id}-name`,
  runtime: "llama_cpp",
  model: "/models/a.gguf",
  arguments: [],
  enabled: true,
});
const target = (backend: string) => ({ backend, model: "m", priority: 0 });
const before = {
  models: {
    ...NO_MODELS,
    backends: [server("a"), server("b")],
    aliases: [
      { name: "both", targets: [target("a"), target("b-name"), target("c")] },
      { name: "only", targets: [target("a-name")] },
      { name: "own", targets: [target("c"), target("c-name")] },
      { name: "other", targets: [target("b")] },
    ],
  },
  local_models: { folders: [], servers: [own("c"), own("d")], overcommit: false },
} as unknown as Settings;
const [a, b] = before.models.backends as [BackendSettings, BackendSettings];
const [c] = before.local_models.servers as [LocalServerSettings];
const aliasesOf = ({ models }: Settings) =>
  models.aliases.map(({ name, targets }) => [name, targets.map(({ backend }) => backend)]);

describe("removing a server", () => {
  it("tells the names that lead to it, by id or name, and which lead nowhere else", () => {
    expect(namesOf(before.models, a)).toEqual([
      { name: "both", isOnly: false },
      { name: "only", isOnly: true },
    ]);
    expect(namesOf(before.models, c)).toEqual([
      { name: "both", isOnly: false },
      { name: "own", isOnly: true },
    ]);
    expect(namesOf(before.models, own("d"))).toEqual([]);
  });

  it("takes it out of names, and what leads nowhere then", () => {
    const after = withoutServer(before, a);
    expect(after.models.backends).toEqual([b]);
    expect(after.local_models).toEqual(before.local_models);
    expect(aliasesOf(after)).toEqual([
      ["both", ["b-name", "c"]],
      ["own", ["c", "c-name"]],
      ["other", ["b"]],
    ]);
  });

  it("of this machine mends the names in the same settings", () => {
    const after = withoutServer(before, c);
    expect(after.local_models.servers.map(({ id }) => id)).toEqual(["d"]);
    expect(aliasesOf(after)).toEqual([
      ["both", ["a", "b-name"]],
      ["only", ["a-name"]],
      ["other", ["b"]],
    ]);
  });

  it("is undone to what was", () => {
    for (const each of [a, b, c])
      expect(withServerAgain(withoutServer(before, each), before, each)).toEqual(before);
  });

  it("is undone without what went meanwhile, and with what came", () => {
    const came = { name: "new", targets: [target("d")] };
    const gone = withoutServer(withoutServer(withoutServer(before, a), b), c);
    const meanwhile = { ...gone, models: { ...gone.models, aliases: [came] } };
    const after = withServerAgain(meanwhile, before, a);
    expect(after.models.backends).toEqual([a]);
    expect(aliasesOf(after)).toEqual([
      ["both", ["a"]],
      ["only", ["a-name"]],
      ["new", ["d"]],
    ]);
  });

  it.each([
    ["an address", { models: { ...NO_MODELS, backends: [server("x", { name: "a-name" })] } }],
    [
      "this machine",
      { local_models: { ...before.local_models, servers: [{ ...own("x"), name: "a-name" }] } },
    ],
  ])("is not undone where its name is that of another of %s now", (_, change) => {
    const meanwhile = { ...withoutServer(before, a), ...change };
    expect(withServerAgain(meanwhile, before, a)).toBe(meanwhile);
  });
});
