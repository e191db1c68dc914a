import { useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { isReservedByBrowser, normaliseKeys, strokeOf } from "./keys";

/** Where the focus is when a key is pressed. */
export interface KeyContext {
  /** In a terminal (an element within `[data-terminal]`). */
  terminal: boolean;
  /** In a code editor (within `.monaco-editor`). */
  editor: boolean;
  /** In any field that takes text, terminal and editor included. */
  typing: boolean;
}

export interface Command {
  /** Dotted, for instance `workspace.new`; unique among the registered ones. */
  id: string;
  /** Sentence case, begins with a verb: "Split terminal". */
  title: string;
  /** Shown before the title in the palette: "Terminal". */
  group?: string;
  /** Bindings, the preferred first: `Mod+Shift+P`. A browser's reserved ones are neither shown nor used there. */
  keys?: string | readonly string[];
  /** Works in a focused terminal although the key is not Mod+Shift+… (see {@link reachesTerminal}). */
  inTerminal?: boolean;
  /** Applies now; absent for always. The palette asks with the focus as it was before the palette opened. */
  when?: (context: KeyContext) => boolean;
  /** Left out of the palette (things that only make sense as a key). */
  hidden?: boolean;
  run: () => void | Promise<void>;
}

const commands = new Map<string, Command>();
const listeners = new Set<() => void>();
let snapshot: readonly Command[] = [];
let keysReserved = true;

/** Told once at the start: whether the surroundings keep Ctrl+W and the like. */
export function setKeysReserved(reserved: boolean): void {
  keysReserved = reserved;
}

function changed(): void {
  snapshot = [...commands.values()];
  for (const listener of [...listeners]) listener();
}

/** Registers commands until the returned function is called. A later registration of an id replaces the earlier. */
export function registerCommands(added: readonly Command[]): () => void {
  for (const command of added) commands.set(command.id, command);
  changed();
  return () => {
    for (const command of added) if (commands.get(command.id) === command) commands.delete(command.id);
    changed();
  };
}

/** Registers commands while the component is mounted and `active`; their `run` and `when` see the latest render. */
export function useCommands(wanted: readonly Command[], active = true): void {
  const latest = useRef(wanted);
  useLayoutEffect(() => {
    latest.current = wanted;
  });
  // Functions are looked up when called, so only what is shown decides whether to register anew.
  const shape = JSON.stringify(
    wanted.map(({ id, title, group, keys, hidden, inTerminal }) => [
      id,
      title,
      group,
      keys,
      hidden,
      inTerminal,
    ]),
  );
  useEffect(() => {
    if (!active) return;
    const find = (id: string) => latest.current.find((command) => command.id === id);
    return registerCommands(
      latest.current.map((command) => ({
        ...command,
        run: () => find(command.id)?.run(),
        when: (context: KeyContext) => find(command.id)?.when?.(context) ?? true,
      })),
    );
  }, [shape, active]);
}

export function useCommandList(): readonly Command[] {
  return useSyncExternalStore(
    (notify) => {
      listeners.add(notify);
      return () => listeners.delete(notify);
    },
    () => snapshot,
  );
}

export function runCommand(id: string): void {
  void commands.get(id)?.run();
}

/** A command's bindings that work here. */
export function keysOf(command: Command): string[] {
  const keys =
    command.keys === undefined ? [] : typeof command.keys === "string" ? [command.keys] : command.keys;
  return keys.filter((binding) => !keysReserved || !isReservedByBrowser(binding));
}

/** The binding to show for a command, by id: for tooltips and menus. */
export function useCommandKeys(id: string): string | undefined {
  const command = useCommandList().find((entry) => entry.id === id);
  return command && keysOf(command)[0];
}

/**
 * Whether a stroke belongs to the terminal when one has the focus. readline and full-screen programs use Ctrl+letter,
 * Alt+letter, function keys and plain keys; Ctrl+Shift+letter never reaches them, nor does ⌘ on a Mac.
 */
export function reachesTerminal(stroke: string, mac: boolean): boolean {
  const modifiers = stroke.split("+").slice(0, -1);
  if (!modifiers.includes("mod")) return true;
  return !mac && !modifiers.includes("shift");
}

export function contextOf(target: EventTarget | null): KeyContext {
  const element = target instanceof Element ? target : null;
  const terminal = element?.closest("[data-terminal]") != null;
  const editor = element?.closest(".monaco-editor") != null;
  const typing =
    terminal ||
    editor ||
    element?.closest("input:not([type=checkbox]):not([type=radio]), textarea, [contenteditable=true]") !=
      null;
  return { terminal, editor, typing };
}

/** Finds what a sequence of strokes means: a command to run, more strokes to wait for, or nothing. */
export function findCommand(
  strokes: readonly string[],
  context: KeyContext,
  mac: boolean,
): Command | "more" | undefined {
  const typed = strokes.join(" ");
  let more = false;
  // What was registered last is the most specific.
  for (const command of [...commands.values()].reverse()) {
    for (const binding of keysOf(command)) {
      const keys = normaliseKeys(binding);
      const first = strokes[0] ?? "";
      if (context.terminal && command.inTerminal !== true && reachesTerminal(first, mac)) continue;
      // Plain keys and Shift+key belong to whoever takes text.
      if (context.typing && !/^(mod|ctrl|alt)\+/.test(first) && !/^(shift\+)?f\d+$/.test(first)) continue;
      if (keys === typed ? command.when?.(context) === false : !keys.startsWith(`${typed} `)) continue;
      if (keys === typed) return command;
      more = true;
    }
  }
  return more ? "more" : undefined;
}

const CHORD_MS = 2_000;

/** Listens to keys for the whole window; returns how to stop. */
export function listenToKeys(mac: boolean): () => void {
  let strokes: string[] = [];
  let last = 0;
  const onKey = (event: KeyboardEvent) => {
    const stroke = strokeOf(event);
    if (stroke === undefined || event.isComposing) return;
    if (event.timeStamp - last > CHORD_MS) strokes = [];
    last = event.timeStamp;
    strokes.push(stroke);
    const found = findCommand(strokes, contextOf(event.target), mac);
    if (found === undefined) {
      // A chord that leads nowhere is swallowed, as in VS Code; a single stroke goes its way.
      if (strokes.length > 1) event.preventDefault();
      strokes = [];
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (found === "more") return;
    strokes = [];
    void found.run();
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
