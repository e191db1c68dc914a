const KEPT = 10_000;
// Colours and cursor movements (ECMA-48 CSI and OSC sequences) mean nothing in a plain list.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** Adds text to lines, going on with the last one, which is unfinished until a line end comes; keeps the newest. */
export function appendLines(lines: readonly string[], text: string): string[] {
  const parts = text.replace(ESCAPES, "").split(/\r?\n/);
  const last = lines.at(-1) ?? "";
  return [...lines.slice(0, -1), last + (parts[0] ?? ""), ...parts.slice(1)].slice(-KEPT);
}
