import { expect, it } from "vitest";
import { type EngineCapabilities } from "@/protocol/generated";
import { ABILITIES, lacks } from "./abilities";

const all = (able: boolean) =>
  Object.fromEntries(
    Object.keys(ABILITIES).map((ability) => [ability, able]),
  ) as unknown as EngineCapabilities;

it("says why a cluster cannot pause, and not what the engine's notes say already", () => {
  const capabilities = { ...all(true), pause: false, sudo: false };
  const notes = ["The pod security level restricted leaves no sudo."];
  expect(lacks({ kind: "kubernetes", capabilities, notes })).toEqual([
    { why: "The pod security level restricted leaves no sudo." },
    { ability: "Pause and resume", why: "Kubernetes cannot freeze a pod." },
  ]);
});

it("has nothing to say of an engine that can do everything", () => {
  expect(lacks({ kind: "kubernetes", capabilities: all(true), notes: [] })).toEqual([]);
});

it("gives a cluster's reasons to no other engine", () => {
  expect(lacks({ kind: "docker", capabilities: all(false), notes: [] })).toEqual([]);
});
