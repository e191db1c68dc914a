import { afterEach, describe, expect, it } from "vitest";
import {
  findCommand,
  registerCommands,
  setKeysReserved,
  keysOf,
  type Command,
  type KeyContext,
} from "./registry";
import { keyParts, normaliseKeys } from "./keys";

const nowhere: KeyContext = { terminal: false, editor: false, typing: false };
const inTerminal: KeyContext = { terminal: true, editor: false, typing: true };
const inField: KeyContext = { terminal: false, editor: false, typing: true };
const command = (id: string, keys: string | string[], more: Partial<Command> = {}): Command => ({
  id,
  title: id,
  keys,
  run: () => undefined,
  ...more,
});
const find = (typed: string, context: KeyContext, mac = false) => {
  const found = findCommand(typed.split(" "), context, mac);
  return typeof found === "object" ? found.id : found;
};

let stop: () => void = () => undefined;
afterEach(() => {
  stop();
  setKeysReserved(true);
});

describe("keys", () => {
  it("leave readline's and programs' keys to a focused terminal", () => {
    stop = registerCommands([
      command("files", "Mod+P"),
      command("palette", ["Mod+Shift+P", "F1"]),
      command("alt", "Alt+ArrowDown"),
      command("leave", "F6", { inTerminal: true }),
    ]);
    expect(find("mod+p", inTerminal)).toBeUndefined();
    expect(find("f1", inTerminal)).toBeUndefined();
    expect(find("alt+arrowdown", inTerminal)).toBeUndefined();
    expect(find("mod+shift+p", inTerminal)).toBe("palette");
    expect(find("f6", inTerminal)).toBe("leave");
    expect(find("mod+p", inTerminal, true)).toBe("files");
    expect(find("mod+p", nowhere)).toBe("files");
  });

  it("leave plain keys to fields that take text", () => {
    stop = registerCommands([command("search", "/"), command("rename", "F2")]);
    expect(find("/", inField)).toBeUndefined();
    expect(find("/", nowhere)).toBe("search");
    expect(find("f2", inField)).toBe("rename");
  });

  it("wait for the second stroke of a chord", () => {
    stop = registerCommands([command("keys", "Mod+K Mod+S")]);
    expect(find("mod+k", nowhere)).toBe("more");
    expect(find("mod+k mod+s", nowhere)).toBe("keys");
    expect(find("mod+k mod+x", nowhere)).toBeUndefined();
  });

  it("prefer what was registered last and applies now", () => {
    stop = registerCommands([
      command("general", "Mod+S"),
      command("special", "Mod+S", { when: (context) => context.editor }),
    ]);
    expect(find("mod+s", nowhere)).toBe("general");
    expect(find("mod+s", { terminal: false, editor: true, typing: true })).toBe("special");
  });

  it("skip what a browser keeps for itself", () => {
    const close = command("close", ["Mod+W", "Alt+W"]);
    expect(keysOf(close)).toEqual(["Alt+W"]);
    setKeysReserved(false);
    expect(keysOf(close)).toEqual(["Mod+W", "Alt+W"]);
  });

  it("are spelt one way and read well", () => {
    expect(normaliseKeys("Shift+Mod+P")).toBe("mod+shift+p");
    expect(normaliseKeys("Mod++")).toBe("mod+plus");
    expect(keyParts("Mod+K Mod+S")).toEqual([
      ["Ctrl", "K"],
      ["Ctrl", "S"],
    ]);
  });
});
