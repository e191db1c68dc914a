import { expect, it } from "vitest";
import { type LocalPhase } from "@/protocol/generated";
import { idleWords, phaseAction, phaseWord, restartWords } from "./phases";

it.each<[LocalPhase | undefined, string, ReturnType<typeof phaseAction>]>([
  [undefined, "Not known yet", undefined],
  [{ kind: "asleep" }, "Asleep", "start"],
  [{ kind: "waiting", for_name: "qwen" }, "Waiting for qwen", "stop"],
  [{ kind: "loading" }, "Loading", "stop"],
  [{ kind: "loading", progress: 0.428 }, "Loading 42 %", "stop"],
  [{ kind: "loading", progress: 0.999 }, "Loading 99 %", "stop"],
  [{ kind: "ready" }, "Ready", "stop"],
  [{ kind: "stopping" }, "Stopping", undefined],
  [{ kind: "failed", why: "it ended" }, "Failed", "retry"],
])("%j is told and offers what can be done", (phase, word, action) => {
  expect(phaseWord(true, phase).word).toBe(word);
  expect(phaseAction(phase)).toBe(action);
});

it("one that is not to be started is off", () => {
  expect(phaseWord(false, { kind: "asleep" }).word).toBe("Off");
});

it("counts down to its unloading", () => {
  expect(idleWords(15 * 60_000, 0, 0)).toBe("Unloads in 15 min");
  expect(idleWords(15 * 60_000, 0, 3 * 60_000 + 500)).toBe("Unloads in 12 min");
  expect(idleWords(60_000, 0, 18_000)).toBe("Unloads in 42 s");
  expect(idleWords(60_000, 0, 70_000)).toBe("Unloads now");
});

it("counts down to its next start", () => {
  expect(restartWords(8_000, 0, 1_000)).toBe("It is started again in 7.0 s.");
  expect(restartWords(8_000, 0, 9_000)).toBe("It is started again now.");
});
