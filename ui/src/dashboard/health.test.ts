import { expect, it } from "vitest";
import { type EngineHealth, type EngineInfo } from "@/protocol/generated";
import { engineSummary, healthWord, isTrouble, offLast } from "./health";

const engines = (...healths: EngineHealth[]) =>
  healths.map((health, i) => ({ id: `e${i}`, name: `Engine ${i}`, health }) as EngineInfo);

it.each([
  [["off"], "stopped", "No engine in use"],
  [["off", "ready"], "running", "Engine 1 ready"],
  [["off", "checking"], "starting", "Looking for engines"],
  [["off", "missing"], "failed", "No engine ready"],
  [[], "starting", "Looking for engines"],
] as const)("%j is said as %s, %s", (healths, tone, word) => {
  expect(engineSummary(engines(...healths))).toEqual({ tone, word });
});

it("sees no trouble in an engine that is not used", () => {
  expect(engines("off", "ready", "checking", "failing", "missing").map(isTrouble)).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
});

it("lists engines that are not used last, the others in their order", () => {
  expect(offLast(engines("off", "ready", "off", "failing")).map((engine) => engine.id)).toEqual([
    "e1",
    "e3",
    "e0",
    "e2",
  ]);
});

it("says of a cluster that it is not reachable, of an engine here that it does not run", () => {
  expect(healthWord({ kind: "kubernetes", health: "stopped" })).toBe("Not reachable");
  expect(healthWord({ kind: "docker", health: "stopped" })).toBe("Not running");
});
