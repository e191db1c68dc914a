import { describe, expect, it } from "vitest";
import { type BackendSettings, type BrokerSettings } from "@/protocol/generated";
import { NO_MODELS } from "./fixture";
import {
  addressHelp,
  addressProblem,
  draftOf,
  emptyDraft,
  filledIn,
  isReadableOnTheWay,
  LOCAL_PRESETS,
  PROVIDER_PRESETS,
  serverProblems,
  withEnabled,
  withServer,
} from "./servers";

const server = (id: string, change: Partial<BackendSettings> = {}): BackendSettings => ({
  id,
  name: `${id}-name`,
  url: "http://127.0.0.1:8080/v1",
  kind: "open_ai",
  has_key: false,
  enabled: true,
  ...change,
});
const models = (change: Partial<BrokerSettings> = {}): BrokerSettings => ({
  ...NO_MODELS,
  backends: [server("a"), server("b")],
  aliases: [],
  ...change,
});

describe("an address", () => {
  it.each([
    "http://127.0.0.1:8080/v1",
    "https://gateway.example/models/v1/",
    "http://localhost",
    "http://[::1]:1/v1",
  ])("%s is taken", (url) => {
    expect(addressProblem(url)).toBeUndefined();
  });

  it.each([
    ["", "Give its address"],
    ["localhost:8080/v1", "begins with http://"],
    ["ftp://a.example/v1", "begins with http://"],
    ["http://", "This is no address"],
    ["http://a b/v1", "This is no address"],
    ["https://me:secret@a.example/v1", "Leave the password out"],
    ["https://a.example/v1?x=1", "before ? and #"],
    ["https://a.example/v1#", "before ? and #"],
    ["http://a.example/v1/chat/completions", "Leave out /chat/completions"],
  ])("%j is refused, and it is said why", (url, why) => {
    expect(addressProblem(url)).toContain(why);
  });

  it("is told as where requests go", () => {
    expect(addressHelp("http://a.example/v1/")).toBe("Requests go to http://a.example/v1/chat/completions.");
    expect(addressHelp("http://a.example")).toContain("Most servers answer at http://a.example/v1.");
    expect(addressHelp("a.example")).toContain("for instance");
  });

  it.each([
    ["http://gateway.example/v1", true],
    ["http://10.0.0.7:8000/v1", true],
    ["https://gateway.example/v1", false],
    ["http://127.0.0.1:8080/v1", false],
    ["http://localhost:8080/v1", false],
    ["http://[::1]:8080/v1", false],
    ["", false],
  ])("%j lets a key be read on the way: %j", (url, readable) => {
    expect(isReadableOnTheWay(url)).toBe(readable);
  });
});

describe("a server as it is typed", () => {
  const draft = { ...emptyDraft(), name: "new", url: "http://127.0.0.1:1/v1" };

  it("is checked field by field", () => {
    const { backends } = models();
    expect(serverProblems(draft, backends)).toEqual({});
    expect(serverProblems({ ...draft, name: "a-name" }, backends).name).toContain("Another server");
    expect(serverProblems({ ...draft, name: "b" }, backends).name).toContain("Another server");
    expect(serverProblems({ ...draft, name: "my server" }, backends).name).toContain("No spaces");
    expect(serverProblems({ ...draft, name: "my/server" }, backends).name).toContain("no slashes");
    expect(Object.keys(serverProblems(emptyDraft(), backends))).toEqual(["name", "url"]);
    for (const wrong of ["0", "1.5", "-1", "many", "10001"])
      expect(serverProblems({ ...draft, maxParallel: wrong }, backends).maxParallel).toContain(
        "whole number",
      );
  });

  it("keeps its own name", () => {
    const { backends } = models();
    expect(serverProblems(draftOf(server("a")), backends)).toEqual({});
  });

  it("is added as the last, in use and without a key", () => {
    const { backends } = withServer(models(), { ...draft, name: " new ", maxParallel: "4" });
    expect(backends).toHaveLength(3);
    expect(backends[2]).toMatchObject({ name: "new", enabled: true, has_key: false, max_parallel: 4 });
  });

  it("changes nothing that is not in the form", () => {
    const before = models({ backends: [server("a", { has_key: true, enabled: false, max_parallel: 3 })] });
    const { backends } = withServer(before, { ...draftOf(server("a")), url: "http://b.example/v1" });
    expect(backends).toEqual([server("a", { has_key: true, enabled: false, url: "http://b.example/v1" })]);
  });

  it("sent twice is there once", () => {
    expect(withServer(withServer(models(), draft), draft).backends).toHaveLength(3);
  });
});

it.each([...LOCAL_PRESETS, ...PROVIDER_PRESETS])("the preset of $label fills in what is right", (preset) => {
  const taken = [server(preset.name)];
  const draft = filledIn(emptyDraft(), preset, taken);
  expect(serverProblems(draft, taken)).toEqual({});
  expect(draft.name).toBe(`${preset.name}-2`);
  expect(new URL(draft.url).pathname).toMatch(/\/v1$/);
  // A key for a provider is never to be read on the way.
  expect(draft.url.startsWith("https://")).toBe(preset.wantsKey);
});

it("switches one server and leaves the others", () => {
  expect(withEnabled(models(), "a", false).backends.map(({ enabled }) => enabled)).toEqual([false, true]);
});
