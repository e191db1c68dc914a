import { type basename } from "../model/path";
import type * as theme from "./theme";

/** What the editor's chunk gets from the page around it; see load.ts. */
export interface Tools {
  basename: typeof basename;
  monacoTheme: typeof theme.monacoTheme;
  textMateTheme: typeof theme.textMateTheme;
  onThemeChange: typeof theme.onThemeChange;
}

let given: Tools | undefined;

export function giveTools(tools: Tools): void {
  given = tools;
}

export function tools(): Tools {
  if (!given) throw new Error("the editor is loaded by load.ts");
  return given;
}
