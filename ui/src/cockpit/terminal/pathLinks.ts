import { type IBufferCellPosition, type ILink, type ILinkProvider, type Terminal } from "@xterm/xterm";
import { findPaths } from "../model/links";

/** Opens a path that a terminal shows; with `probe` only says whether there is such a file. */
export interface OpenPath {
  exists(path: string): Promise<boolean>;
  open(path: string, line: number | undefined, column: number | undefined): void;
}

const MAX_WRAPPED_LINES = 12;
const MAX_PROBES = 8;

/** Makes paths of existing files in the output links: Ctrl+click opens them in the editor. */
export function pathLinks(terminal: Terminal, paths: OpenPath): ILinkProvider {
  return {
    provideLinks(row, give) {
      const { text, cells } = wrappedLine(terminal, row - 1);
      const candidates = findPaths(text).slice(0, MAX_PROBES);
      if (candidates.length === 0) return give(undefined);
      void Promise.all(
        candidates.map(async (candidate): Promise<ILink | undefined> => {
          const start = cells[candidate.start];
          const end = cells[candidate.end - 1];
          if (!start || !end || !(await paths.exists(candidate.path))) return undefined;
          return {
            range: { start, end },
            text: candidate.path,
            activate: (event) => {
              if (event.ctrlKey || event.metaKey)
                paths.open(candidate.path, candidate.line, candidate.column);
            },
          };
        }),
      ).then((links) => give(links.filter((link) => link !== undefined)));
    },
  };
}

/** The line at `row` with what it wraps over, and where each of its UTF-16 code units stands. */
function wrappedLine(terminal: Terminal, row: number): { text: string; cells: IBufferCellPosition[] } {
  const buffer = terminal.buffer.active;
  let first = row;
  while (first > 0 && row - first < MAX_WRAPPED_LINES && buffer.getLine(first)?.isWrapped) first -= 1;
  let text = "";
  const cells: IBufferCellPosition[] = [];
  for (let y = first; y < first + 2 * MAX_WRAPPED_LINES; y += 1) {
    const line = buffer.getLine(y);
    if (!line || (y > first && !line.isWrapped)) break;
    for (let x = 0; x < line.length; x += 1) {
      const cell = line.getCell(x);
      if (!cell || cell.getWidth() === 0) continue;
      const chars = cell.getChars() || " ";
      text += chars;
      for (let unit = 0; unit < chars.length; unit += 1) cells.push({ x: x + 1, y: y + 1 });
    }
  }
  return { text, cells };
}
