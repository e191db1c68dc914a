import { formatDuration, formatPercent } from "@/lib/format";
import { type LocalPhase } from "@/protocol/generated";
import { type StateWord } from "../states";

/** What a server that is started here does, in a word. */
export function phaseWord(enabled: boolean, phase: LocalPhase | undefined): StateWord {
  switch (phase?.kind) {
    case undefined:
      return { tone: "stopped", word: "Not known yet" };
    case "asleep":
      return { tone: "stopped", word: enabled ? "Asleep" : "Off" };
    case "waiting":
      return { tone: "starting", word: `Waiting for ${phase.for_name}`, moving: true };
    case "loading": {
      const done = phase.progress === undefined ? "" : ` ${formatPercent(Math.floor(phase.progress * 100))}`;
      return { tone: "starting", word: `Loading${done}`, moving: true };
    }
    case "ready":
      return { tone: "running", word: "Ready" };
    case "stopping":
      return { tone: "starting", word: "Stopping", moving: true };
    case "failed":
      return { tone: "failed", word: "Failed" };
  }
}

/** What can be asked of it now. */
export function phaseAction(phase: LocalPhase | undefined): "start" | "retry" | "stop" | undefined {
  switch (phase?.kind) {
    case "asleep":
      return "start";
    case "failed":
      return "retry";
    case "waiting":
    case "loading":
    case "ready":
      return "stop";
    case "stopping":
    case undefined:
      return undefined;
  }
}

/** When it gives its memory back, counted from when the host said so. */
export function idleWords(idleInMs: number, saidAt: number, now: number): string {
  const left = saidAt + idleInMs - now;
  if (left < 1_000) return "Unloads now";
  if (left < 60_000) return `Unloads in ${Math.floor(left / 1_000)} s`;
  return `Unloads in ${formatDuration(Math.ceil(left / 60_000) * 60_000)}`;
}

export function restartWords(retryInMs: number, saidAt: number, now: number): string {
  const left = Math.round((saidAt + retryInMs - now) / 1_000);
  return left < 1 ? "It is started again now." : `It is started again in ${formatDuration(left * 1_000)}.`;
}
