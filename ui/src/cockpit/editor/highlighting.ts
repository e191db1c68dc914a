// Colours by TextMate grammars, the ones that VS Code uses, straight into Monaco's token format.
import { createShikiPrimitive, type ShikiPrimitive } from "@shikijs/primitive";
import { createJavaScriptRegexEngine } from "@shikijs/engine-javascript";
import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { GRAMMARS } from "./languages";
import { onRecolour } from "./monaco";
import { tools } from "./tools";

/** Longer lines (minified files) are shown without colours; finding them would stop the page. */
const MAX_LINE = 20_000;
const MAX_LINE_MS = 300;
const LANGUAGE_BITS = 0xff;

let primitive: ShikiPrimitive | undefined;

function highlighter(monaco: typeof Monaco): ShikiPrimitive {
  if (primitive) return primitive;
  primitive = createShikiPrimitive({
    engine: createJavaScriptRegexEngine({ forgiving: true }),
    langs: [],
    themes: [],
  });
  onRecolour(() => applyTokenColours(monaco));
  return primitive;
}

type Grammar = ReturnType<ShikiPrimitive["getLanguage"]>;
type Stack = ReturnType<Grammar["tokenizeLine2"]>["ruleStack"];

class LineState implements Monaco.languages.IState {
  readonly stack: Stack | null;

  constructor(stack: Stack | null) {
    this.stack = stack;
  }

  clone(): LineState {
    return this;
  }

  equals(other: Monaco.languages.IState): boolean {
    if (!(other instanceof LineState)) return false;
    if (this.stack === other.stack) return true;
    return this.stack !== null && other.stack !== null && this.stack.equals(other.stack);
  }
}

/** The tokenizer of a language, its grammar loaded. */
export async function grammarTokens(
  monaco: typeof Monaco,
  id: string,
): Promise<Monaco.languages.EncodedTokensProvider> {
  const registrations = (await GRAMMARS[id]?.())?.default ?? [];
  const shiki = highlighter(monaco);
  await shiki.loadLanguage(...registrations);
  const name = registrations.at(-1)?.name ?? "text";
  applyTokenColours(monaco);
  const grammar = shiki.getLanguage(name);
  const language = monaco.languages.getEncodedLanguageId(id);
  return {
    getInitialState: () => new LineState(null),
    tokenizeEncoded: (line, state) => {
      const { stack } = state as LineState;
      if (line.length > MAX_LINE) return { tokens: new Uint32Array([0, plain(language)]), endState: state };
      const result = grammar.tokenizeLine2(line, stack, MAX_LINE_MS);
      const tokens = new Uint32Array(result.tokens);
      for (let at = 1; at < tokens.length; at += 2)
        tokens[at] = ((tokens[at] ?? 0) & ~LANGUAGE_BITS) | language;
      return { tokens, endState: new LineState(result.ruleStack) };
    },
  };
}

/** Default foreground (colour 1) on default background (colour 2). */
function plain(language: number): number {
  return language | (1 << 15) | (2 << 24);
}

/** Gives Monaco the colours of the theme that the page has now. */
function applyTokenColours(monaco: typeof Monaco): void {
  if (!primitive) return;
  const { colorMap } = primitive.setTheme(tools().textMateTheme());
  monaco.languages.setColorMap(colorMap);
}
