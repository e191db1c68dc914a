import type * as monacoModule from "@/cockpit/editor/monaco";
import { SCHEMA, textProblems, type SettingSchema } from "./schema";

type Monaco = typeof monacoModule.monaco;
type Model = monacoModule.monaco.editor.ITextModel;

const OWNER = "settings";

/** A setting in words: what it does, and what it takes. */
function describe({ description, takes }: SettingSchema): string {
  if (takes.kind === "number") return `${description} From ${takes.min} to ${takes.max}.`;
  return description;
}

/** What is said of a word of the settings: a setting, or what stands in one. */
function explain(word: string): string | undefined {
  const schema = SCHEMA[word as keyof typeof SCHEMA] as SettingSchema | undefined;
  if (schema !== undefined) return describe(schema);
  for (const { takes } of Object.values(SCHEMA))
    if (takes.kind === "object" && takes.fields?.[word] !== undefined) return takes.fields[word];
  return undefined;
}

function suggestedValues({ takes }: SettingSchema): string[] {
  if (takes.kind === "switch") return ["true", "false"];
  return takes.kind === "choice" ? takes.values.map(({ value }) => `"${value}"`) : [];
}

/** Underlines what is wrong in the settings' text. */
export function markProblems(monaco: Monaco, model: Model): void {
  const text = model.getValue();
  const markers = textProblems(text).map(({ key, message, harmless }) => {
    const at = key === undefined ? -1 : text.search(new RegExp(`"${key.replace(/\W/g, "\\$&")}"\\s*:`));
    const line = model.getPositionAt(Math.max(0, at)).lineNumber;
    return {
      message,
      severity: harmless === true ? monaco.MarkerSeverity.Info : monaco.MarkerSeverity.Error,
      startLineNumber: line,
      endLineNumber: line,
      startColumn: model.getLineFirstNonWhitespaceColumn(line) || 1,
      endColumn: model.getLineMaxColumn(line),
    };
  });
  monaco.editor.setModelMarkers(model, OWNER, markers);
}

/** Offers keys and values while the settings are typed, and explains them under the pointer; returns how to stop. */
export function helpWithSettings(monaco: Monaco, model: Model): () => void {
  const completion = monaco.languages.registerCompletionItemProvider("json", {
    triggerCharacters: ['"', ":", " "],
    provideCompletionItems: (asked, position) => {
      if (asked !== model) return { suggestions: [] };
      const before = model.getLineContent(position.lineNumber).slice(0, position.column - 1);
      const [, key, begun] = /^\s*"(\w+)"\s*:\s*("?\w*)$/.exec(before) ?? [];
      const schema = key === undefined ? undefined : SCHEMA[key as keyof typeof SCHEMA];
      const typed = schema ? (begun ?? "") : (/"?\w*$/.exec(before)?.[0] ?? "");
      const range = monaco.Range.fromPositions(position.delta(0, -typed.length), position);
      const offers = schema
        ? suggestedValues(schema).map((value) => ({ text: value, schema }))
        : Object.entries(SCHEMA).map(([name, each]) => ({ text: `"${name}"`, schema: each }));
      return {
        suggestions: offers.map((offer) => ({
          label: offer.text,
          insertText: offer.text,
          documentation: describe(offer.schema),
          kind: schema
            ? monaco.languages.CompletionItemKind.Value
            : monaco.languages.CompletionItemKind.Property,
          range,
        })),
      };
    },
  });
  const hover = monaco.languages.registerHoverProvider("json", {
    provideHover: (asked, position) => {
      const word = asked === model ? model.getWordAtPosition(position)?.word.replaceAll('"', "") : undefined;
      const told = word === undefined ? undefined : explain(word);
      return told === undefined ? undefined : { contents: [{ value: told }] };
    },
  });
  return () => {
    completion.dispose();
    hover.dispose();
  };
}
