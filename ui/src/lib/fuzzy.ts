/** A match of a typed text in a longer one: higher is better; positions for highlighting. */
export interface FuzzyMatch {
  score: number;
  positions: number[];
}

/** Matches all characters of `query` in order, preferring word starts and runs; undefined where they do not occur. */
export function fuzzyMatch(query: string, text: string): FuzzyMatch | undefined {
  if (query === "") return { score: 0, positions: [] };
  const wanted = query.toLowerCase();
  const lower = text.toLowerCase();
  const whole = lower.indexOf(wanted);
  if (whole >= 0) {
    const start = whole === 0 || /[\W_]/.test(lower[whole - 1] ?? "") ? 40 : 20;
    return {
      score: start + wanted.length * 3 - whole * 0.1 - text.length * 0.01,
      positions: Array.from({ length: wanted.length }, (_, i) => whole + i),
    };
  }
  const positions: number[] = [];
  let score = 0;
  let from = 0;
  for (const char of wanted) {
    if (char === " ") continue;
    const at = lower.indexOf(char, from);
    if (at < 0) return undefined;
    const before = text[at - 1];
    if (at === from && from > 0) score += 3;
    if (before === undefined || /[\W_]/.test(before)) score += 4;
    else if (before === before.toLowerCase() && text[at] !== lower[at]) score += 4;
    score += 1 - (at - from) * 0.05;
    positions.push(at);
    from = at + 1;
  }
  return { score: score - text.length * 0.01, positions };
}

/** The items that match, best first; all of them, in their order, for an empty query. */
export function fuzzyFilter<T>(items: readonly T[], query: string, text: (item: T) => string): T[] {
  const trimmed = query.trim();
  if (trimmed === "") return [...items];
  return items
    .map((item) => ({ item, match: fuzzyMatch(trimmed, text(item)) }))
    .filter((entry): entry is { item: T; match: FuzzyMatch } => entry.match !== undefined)
    .sort((a, b) => b.match.score - a.match.score)
    .map((entry) => entry.item);
}
