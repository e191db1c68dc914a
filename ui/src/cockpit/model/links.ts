/** File paths in a terminal's output: `src/main.rs:12:5`, `./a.py", line 3`, `/abs/file(10,2)`. */

export interface PathLink {
  /** First and last character within the line's text. */
  start: number;
  end: number;
  path: string;
  line: number | undefined;
  column: number | undefined;
}

// A path has a slash or an extension; what follows it may name line and column in the ways of common tools.
const PATH = /(?:~|\.{1,2})?(?:\/?[\w@%+\-.[\]]+)*\/?[\w@%+\-.[\]]+/g;
const POSITION = /^(?::(\d+)(?::(\d+))?|\((\d+)(?:,\s?(\d+))?\)|", line (\d+))/;
const MAX_LINE = 2000;

export function findPaths(text: string): PathLink[] {
  if (text.length > MAX_LINE) return [];
  const found: PathLink[] = [];
  for (const match of text.matchAll(PATH)) {
    const raw = match[0].replace(/[.\]]+$/, "");
    const start = match.index;
    // Part of an address, which has its own links, or of a longer word.
    if (/[\w:/]$/.test(text.slice(0, start)) || text.startsWith("://", start + raw.length)) continue;
    const position = POSITION.exec(text.slice(start + raw.length));
    const looksLikeFile = raw.includes("/") || (/\.[A-Za-z]\w{0,9}$/.test(raw) && position !== null);
    if (!looksLikeFile || !/[A-Za-z0-9]/.test(raw)) continue;
    const line = position?.[1] ?? position?.[3] ?? position?.[5];
    const column = position?.[2] ?? position?.[4];
    found.push({
      start,
      end: start + raw.length + (position?.[0].length ?? 0),
      path: raw,
      line: line === undefined ? undefined : Number(line),
      column: column === undefined ? undefined : Number(column),
    });
  }
  return found;
}
