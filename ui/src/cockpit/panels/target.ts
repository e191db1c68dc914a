import { type ForwardTarget } from "@/protocol/generated";

/** `3000`, `db:5432`, `[::1]:80` as a target; undefined where it is none. */
export function parseTarget(text: string): ForwardTarget | undefined {
  const match = /^(?:(?:([^\s:[\]]+)|\[([0-9a-fA-F:]+)\]):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) return undefined;
  return { host: match[1] ?? match[2] ?? "localhost", port };
}
