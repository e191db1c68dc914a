import { imageKey } from "@/lib/images";
import {
  type LocalServer,
  type LocalServerSettings,
  type ProgramUpdate,
  type UpdateOf,
} from "@/protocol/generated";

export function isSame(a: UpdateOf, b: UpdateOf): boolean {
  if (a.kind === "program") return b.kind === "program" && a.runtime === b.runtime;
  return b.kind === "image" && a.engine === b.engine && imageKey(a.image) === imageKey(b.image);
}

export function updateOf(updates: readonly ProgramUpdate[], of: UpdateOf): ProgramUpdate | undefined {
  return updates.find((update) => isSame(update.of, of));
}

/** What a server runs: a program of this machine, or an image. */
export function runs({ runtime, container }: LocalServerSettings): UpdateOf {
  return container === undefined
    ? { kind: "program", runtime }
    : { kind: "image", engine: container.engine, image: container.image };
}

/** Names of the servers that an update stops: those in memory, or on their way there. */
export function stoppedBy(
  of: UpdateOf,
  servers: readonly LocalServerSettings[],
  states: readonly LocalServer[],
): string[] {
  return servers
    .filter((server) => {
      const phase = states.find(({ id }) => id === server.id)?.phase.kind;
      return (phase === "loading" || phase === "ready") && isSame(runs(server), of);
    })
    .map(({ name }) => name);
}

/** What an update came to, and the version to go back to where there is one. */
export function outcome(
  what: string,
  { from, to }: { from?: string | undefined; to?: string | undefined },
  goesBack: boolean,
): { sentence: string; back: string | undefined } {
  if (to === undefined) return { sentence: `${what} was brought up to date.`, back: undefined };
  if (from === undefined) return { sentence: `${what} ${to} was installed.`, back: undefined };
  if (from === to) return { sentence: `${what} is up to date: ${to}.`, back: undefined };
  return { sentence: `Updated: ${from} → ${to}`, back: goesBack ? from : undefined };
}

/** A part of a text for people: what stands between backticks is code. */
export interface ProsePart {
  text: string;
  kind: "words" | "code" | "command";
}

/** Text taken apart at its backticks. Code of more than one word is a command that can be copied. */
export function proseParts(text: string): ProsePart[] {
  return text
    .split("`")
    .map((part, index): ProsePart => {
      if (index % 2 === 0) return { text: part, kind: "words" };
      return { text: part, kind: /\S\s+\S/.test(part) ? "command" : "code" };
    })
    .filter((part) => part.text !== "");
}

/** A text's first sentence, and what follows it. */
export function firstSentence(text: string): [first: string, rest: string] {
  const [, first, rest] = /^([^`]*?[^`.]\.)\s+(\p{Lu}.*)$/su.exec(text.trim()) ?? [];
  return first === undefined || rest === undefined ? [text, ""] : [first, rest];
}
