import { expect, test } from "vitest";
import { type Settings } from "@/protocol/generated";
import { NO_MODELS } from "./models/fixture";
import { textProblems } from "./schema";

const GOOD: Settings = {
  theme: "system",
  editor_font_size: 13,
  terminal_font_size: 13,
  tab_size: 4,
  word_wrap: false,
  autosave_delay_ms: 1000,
  minimap: false,
  network_range: "10.213.0.0/16",
  auto_forward: true,
  base_image_from: "debian:bookworm",
  clusters: {},
  models: NO_MODELS,
  local_models: { folders: [], servers: [], overcommit: false },
  offline: false,
};

const problems = (change: object) => textProblems(JSON.stringify({ ...GOOD, ...change }));

test("settings as they are have no problem", () => {
  expect(problems({})).toEqual([]);
});

test.each([
  [{ editor_font_size: 64 }, "A whole number from 8 to 32."],
  [{ tab_size: "4" }, "A whole number from 1 to 16."],
  [{ theme: "blue" }, 'One of "system", "light", "dark".'],
  [{ word_wrap: 1 }, "Either true or false."],
  [{ network_range: "10.0.0.0/30" }, "An IPv4 range"],
  [{ base_image_from: "" }, "An image’s name"],
  [{ minimap: undefined }, "is missing"],
  [{ clusters: [] }, "by the name of its context"],
  [{ clusters: { lab: { storage_gib: 0 } } }, "“lab”, “storage_gib”: A whole number"],
  [{ models: { backends: {} } }, "“models”: “backends”: A list of servers"],
  [{ models: { currency: "euro" } }, "“currency”: Three capital letters"],
  [{ models: { listen_port: 0 } }, "“listen_port”: A whole number from 1 to 65535."],
  [{ models: { limits: { each: { parallel: 0 } } } }, "“limits”: “each”: “parallel”: A whole number from 1"],
  [{ models: { limits: { all: { day: { cost: -1 } } } } }, "“day”: “cost”: A number from 0."],
  [{ models: { limits: { of: { w: { month: 3 } } } } }, "“of”: “w”: “month”: An object"],
  [{ models: { prices: [{ backend: "*", model: "m", input: 1 }] } }, "price 1, “output” is missing."],
  [{ offline: "no" }, "Either true or false."],
  [{ local_models: { folders: [1] } }, "“folders”: A list of texts"],
  [
    { local_models: { servers: [{ id: "a", name: "b", runtime: "ollama", model: "/m" }] } },
    "“runtime”: One of",
  ],
])("%j is refused", (change, message) => {
  const [problem] = problems(change);
  expect(problem?.message).toContain(message);
  expect(problem?.harmless).not.toBe(true);
});

test("a key of another version is kept", () => {
  expect(problems({ future: 1 })).toMatchObject([{ key: "future", harmless: true }]);
});

test("text that is no object is refused", () => {
  expect(textProblems("[1]")[0]?.message).toContain("one object");
  expect(textProblems("{")[0]?.message).not.toBe("");
});
