// Key bindings as text: strokes separated by a space, parts by "+": `Mod+Shift+P`, `Mod+K Mod+S`, `F2`, `Mod+,`.
// `Mod` is ⌘ on a Mac and Ctrl elsewhere.

export const isMac = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Keys that a browser keeps for itself, whatever a page does. */
const RESERVED = new Set([
  "mod+w",
  "mod+t",
  "mod+n",
  "mod+shift+n",
  "mod+shift+t",
  "mod+shift+w",
  "mod+tab",
  "mod+shift+tab",
  "mod+pageup",
  "mod+pagedown",
  "mod+f4",
]);

export function isReservedByBrowser(keys: string): boolean {
  return RESERVED.has(normaliseStroke(keys));
}

/** A binding's strokes in one spelling, so that they can be compared. */
export function normaliseKeys(keys: string): string {
  return keys.split(" ").map(normaliseStroke).join(" ");
}

const ORDER = ["mod", "ctrl", "alt", "shift"];

function normaliseStroke(stroke: string): string {
  // "Mod++" is the plus key.
  const parts = stroke.toLowerCase().replace(/\+\+$/, "+plus").split("+");
  const key = parts.pop() ?? "";
  return [...ORDER.filter((modifier) => parts.includes(modifier)), key].join("+");
}

const NAMED: Record<string, string> = { " ": "space", "+": "plus", escape: "escape" };

/** The stroke that an event is, or undefined for a modifier alone. */
export function strokeOf(event: KeyboardEvent): string | undefined {
  const { key, code } = event;
  if (
    key === "Control" ||
    key === "Shift" ||
    key === "Alt" ||
    key === "Meta" ||
    key === "AltGraph" ||
    key === "Dead"
  ) {
    return undefined;
  }
  // AltGr arrives as Ctrl+Alt and types characters; it is no shortcut.
  if (event.getModifierState("AltGraph")) return undefined;
  let name = key.toLowerCase();
  name = NAMED[name] ?? name;
  // With Shift or Alt the character depends on the layout; letters, digits and a few signs are named by position.
  if (event.shiftKey || event.altKey) {
    if (/^Key[A-Z]$/.test(code) && name.length === 1 && !/^[a-z]$/.test(name))
      name = code.slice(3).toLowerCase();
    else if (/^Digit\d$/.test(code)) name = code.slice(5);
    else if (code === "Backquote") name = "`";
    else if (code === "Backslash") name = "\\";
    else if (code === "Comma") name = ",";
    else if (code === "Period") name = ".";
    else if (code === "Slash") name = "/";
  }
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const parts = [];
  if (mod) parts.push("mod");
  if (isMac && event.ctrlKey) parts.push("ctrl");
  if (event.altKey) parts.push("alt");
  if (event.shiftKey) parts.push("shift");
  return [...parts, name].join("+");
}

const MAC: Record<string, string> = { mod: "⌘", ctrl: "⌃", alt: "⌥", shift: "⇧" };
const OTHER: Record<string, string> = { mod: "Ctrl", ctrl: "Ctrl", alt: "Alt", shift: "Shift" };
const SIGNS: Record<string, string> = {
  escape: "Esc",
  enter: "↵",
  arrowup: "↑",
  arrowdown: "↓",
  arrowleft: "←",
  arrowright: "→",
  delete: "Del",
  backspace: "⌫",
  space: "Space",
  tab: "Tab",
  plus: "+",
  pagedown: "PgDn",
  pageup: "PgUp",
};

/** A binding as people read it: strokes, each a list of caps. */
export function keyParts(keys: string): string[][] {
  const modifiers = isMac ? MAC : OTHER;
  return normaliseKeys(keys)
    .split(" ")
    .map((stroke) =>
      stroke
        .split("+")
        .map((part) => modifiers[part] ?? SIGNS[part] ?? part.charAt(0).toUpperCase() + part.slice(1)),
    );
}

/** A binding as one text, for `aria-keyshortcuts` and titles. */
export function keyText(keys: string): string {
  return keyParts(keys)
    .map((stroke) => stroke.join(isMac ? "" : "+"))
    .join(" ");
}
