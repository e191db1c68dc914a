import { type Tone } from "@/components";
import { type EngineHealth } from "@/protocol/generated";

export const HEALTH_WORDS: Record<EngineHealth, string> = {
  checking: "Checking",
  ready: "Ready",
  stopped: "Not running",
  missing: "Not installed",
  not_permitted: "Not permitted",
  too_old: "Too old",
  failing: "Failing",
};

export const HEALTH_TONES: Record<EngineHealth, Tone> = {
  checking: "starting",
  ready: "running",
  stopped: "stopped",
  missing: "stopped",
  not_permitted: "failed",
  too_old: "failed",
  failing: "failed",
};
