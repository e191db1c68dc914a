/**
 * Paths of a workspace in the text form that the protocol carries: bytes which are not UTF-8 stand as U+F780–U+F7FF,
 * so a path survives the way through the UI unchanged, whatever it is made of.
 */

const ESCAPE_BASE = 0xf700;

export function join(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

export function dirname(path: string): string {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The extension in lower case without its dot; empty where there is none. */
export function extension(path: string): string {
  const name = basename(path);
  const at = name.lastIndexOf(".");
  return at <= 0 ? "" : name.slice(at + 1).toLowerCase();
}

/** Whether `path` is `directory` or lies within it. */
export function isWithin(directory: string, path: string): boolean {
  if (directory === path || directory === "/") return true;
  return path.startsWith(directory) && path.charCodeAt(directory.length) === 47;
}

/** `path` relative to `root` where it lies within it, else `path` itself. */
export function relative(root: string, path: string): string {
  if (path === root || !isWithin(root, path)) return path;
  return path.slice(root === "/" ? 1 : root.length + 1);
}

/** Resolves `path` against `base`, taking `.` and `..` out of it. */
export function resolve(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The directories between `root` and `path`, outermost first, without either. */
export function ancestors(root: string, path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== root && isWithin(root, at) && at !== "/"; at = dirname(at))
    found.unshift(at);
  return found;
}

/** Where `path` is after `from` was moved to `to`. */
export function moved(path: string, from: string, to: string): string {
  return isWithin(from, path) ? to + path.slice(from.length) : path;
}

/* eslint-disable no-control-regex -- these are exactly the characters that must not act on the screen */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\uf780-\uf7ff\ufff9-\ufffb]/g;
/* eslint-enable no-control-regex */

/** A name as it is shown: control, bidirectional and zero-width characters and stray bytes become visible escapes. */
export function shown(text: string): string {
  return text.replace(HIDDEN, (char) => {
    const code = char.charCodeAt(0);
    if (code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff)
      return `\\x${(code - ESCAPE_BASE).toString(16)}`;
    if (code === 10) return "\\n";
    if (code === 9) return "\\t";
    return `\\u{${code.toString(16)}}`;
  });
}

/** Why `name` cannot be a file's name; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (name.trim() === "") return "Type a name.";
  if (name.includes("\0")) return "A name cannot contain the NUL character.";
  const parts = name.split("/");
  if (parts.some((part) => part === "." || part === "..")) return "“.” and “..” are not names.";
  if (parts.some((part, index) => part === "" && index < parts.length - 1))
    return "A part of the name is empty.";
  if (parts.some((part) => new TextEncoder().encode(part).length > 255))
    return "A name holds at most 255 bytes.";
  return undefined;
}
