// Reads cases from standard input: an output, the mirror's snapshot of it, and where live output goes on. Writes, for
// each case in which the UI's own terminal shows something else after the snapshot than after the output, what.
import { createRequire } from "node:module";

const [, , packages] = process.argv;
const require = createRequire(packages);
const { Terminal } = require("@xterm/headless");
const { Unicode11Addon } = require("@xterm/addon-unicode11");

function terminal({ columns, rows }) {
  const made = new Terminal({ cols: columns, rows, scrollback: 20_000, allowProposedApi: true });
  made.loadAddon(new Unicode11Addon());
  made.unicode.activeVersion = "11";
  return made;
}

const written = (to, bytes) => new Promise((done) => to.write(Uint8Array.from(bytes), done));

function cellsOf(line, columns) {
  const cells = [];
  for (let column = 0; column < columns; column++) {
    const cell = line.getCell(column);
    const text = cell.getChars().trimEnd();
    const inked = text !== "" || cell.isInverse() || cell.isUnderline();
    const look = [
      text,
      cell.getWidth(),
      inked && cell.getFgColorMode(),
      inked && cell.getFgColor(),
      cell.getBgColorMode(),
      cell.getBgColor(),
      cell.isBold(),
      cell.isItalic(),
      cell.isDim(),
      cell.isUnderline(),
      cell.isInverse(),
      cell.isStrikethrough(),
    ];
    cells.push(look.join(","));
  }
  return cells;
}

function bufferOf(buffer, columns, flows) {
  const lines = [];
  for (let index = 0; index < buffer.length; index++) lines.push(cellsOf(buffer.getLine(index), columns));
  // Whether a line goes on from one that does not reach its end, or was moved away from, means nothing.
  const ends = (line) =>
    line
      .getCell(columns - 1)
      .getChars()
      .trimEnd() !== "";
  const wrapped = lines.map(
    (_, index) => flows && index > 0 && ends(buffer.getLine(index - 1)) && buffer.getLine(index).isWrapped,
  );
  return { lines, wrapped, cursor: [buffer.cursorX, buffer.cursorY], history: buffer.baseY };
}

function stateOf(shown, columns, flows) {
  return {
    kind: shown.buffer.active.type,
    modes: shown.modes,
    normal: bufferOf(shown.buffer.normal, columns, flows),
    ...(shown.buffer.active.type === "alternate" && {
      alternate: bufferOf(shown.buffer.alternate, columns, flows),
    }),
  };
}

function differences(a, b, path = "", found = []) {
  if (found.length > 5) return found;
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      differences(a[key], b[key], `${path}.${key}`, found);
  } else if (a !== b) {
    found.push(`${path}: ${String(a)} became ${String(b)}`);
  }
  return found;
}

let input = "";
for await (const piece of process.stdin) input += piece;
const failures = [];
for (const { columns, rows, output, snapshot, goesOn, next } of JSON.parse(input)) {
  const [live, restored] = [terminal({ columns, rows }), terminal({ columns, rows })];
  await written(live, output);
  await written(restored, snapshot);
  await written(restored, output.slice(goesOn));
  const flows = !/\x1b(M|\[\d*[LM])/.test(Buffer.from(output).toString());
  const compared = () => [stateOf(live, columns, flows), stateOf(restored, columns, flows)];
  let found = differences(...compared());
  if (found.length === 0) {
    await written(live, next);
    await written(restored, next);
    found = differences(...compared(), "after more output");
  }
  if (found.length > 0) {
    const text = (bytes) => JSON.stringify(Buffer.from(bytes).toString());
    failures.push(`${text(output)}\n  by ${text(snapshot)}\n  ${found.join("\n  ")}`);
  }
}
process.stdout.write(failures.join("\n\n"));
