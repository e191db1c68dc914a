import { type Tone } from "@/components/Badge";
import { type EngineHealth, type EngineInfo } from "@/protocol/generated";

const HEALTH_WORDS: Record<EngineHealth, string> = {
  off: "Not used",
  checking: "Checking",
  ready: "Ready",
  stopped: "Not running",
  missing: "Not installed",
  not_permitted: "Not permitted",
  too_old: "Too old",
  failing: "Failing",
};

export const HEALTH_TONES: Record<EngineHealth, Tone> = {
  off: "stopped",
  checking: "starting",
  ready: "running",
  stopped: "stopped",
  missing: "stopped",
  not_permitted: "failed",
  too_old: "failed",
  failing: "failed",
};

/** An engine's health in a word: a cluster does not run on this machine, so it is out of reach rather than stopped. */
export function healthWord({ kind, health }: Pick<EngineInfo, "kind" | "health">): string {
  return kind === "kubernetes" && health === "stopped" ? "Not reachable" : HEALTH_WORDS[health];
}

/** What to do about a cluster that is not used, where an engine is chosen. */
export const SWITCH_ON = "Switch it on in Settings";

/** The engines as they come, those that are not used last. */
export function offLast(engines: readonly EngineInfo[]): EngineInfo[] {
  return engines.toSorted((a, b) => Number(a.health === "off") - Number(b.health === "off"));
}

/** Whether an engine cannot be used although it should: one that is not used, or is looked at, is no problem. */
export function isTrouble({ health }: Pick<EngineInfo, "health">): boolean {
  return health !== "ready" && health !== "checking" && health !== "off";
}

/** All engines in a word, for the window's top bar. */
export function engineSummary(engines: readonly EngineInfo[]): { tone: Tone; word: string } {
  const ready = engines.filter((engine) => engine.health === "ready");
  if (ready.length === 1) return { tone: "running", word: `${ready[0]?.name ?? "Engine"} ready` };
  if (ready.length > 1) return { tone: "running", word: `${ready.length} engines ready` };
  if (engines.length === 0 || engines.some((engine) => engine.health === "checking")) {
    return { tone: "starting", word: "Looking for engines" };
  }
  if (engines.every((engine) => engine.health === "off"))
    return { tone: "stopped", word: "No engine in use" };
  return { tone: "failed", word: "No engine ready" };
}
