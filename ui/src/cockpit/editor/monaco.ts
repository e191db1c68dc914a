// Monaco with all its editing features. It is loaded with the first file; languages load when a file asks for them.
import "monaco-editor/features/register.all.js";
import * as monaco from "monaco-editor/editor/editor.api.js";
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";
import { type TextBuffer } from "../model/document";
import { type Eol } from "../model/encoding";
import { registerLanguages } from "./languages";
import { giveTools, tools, type Tools } from "./tools";

const THEME = "aicockpit";

let recolour: (() => void) | undefined;

/** Called once, by load.ts, before anything else here. */
export function begin(given: Tools): void {
  giveTools(given);
  self.MonacoEnvironment = { getWorker: () => new EditorWorker() };
  registerLanguages(monaco);
  // The palette, and the keys that open it, are the cockpit's own.
  for (const keybinding of [
    monaco.KeyCode.F1,
    monaco.KeyMod.CtrlCmd | monaco.KeyMod.Shift | monaco.KeyCode.KeyP,
  ]) {
    monaco.editor.addKeybindingRule({ keybinding, command: null });
  }
  applyTheme();
  given.onThemeChange(applyTheme);
}

function applyTheme(): void {
  monaco.editor.defineTheme(THEME, tools().monacoTheme());
  monaco.editor.setTheme(THEME);
  recolour?.();
}

/** The grammars, once there are any, give the code its colours anew with each theme. */
export function onRecolour(listener: () => void): void {
  recolour = listener;
}

/** Colours say what a thing is; which bracket meets which is shown at the cursor. */
const PLAIN_BRACKETS = {
  bracketColorizationOptions: { enabled: false, independentColorPoolPerBracketType: false },
};

let created = 0;

/** An address of its own for each model: a document keeps its model, and its undo, when it is renamed. */
function freshUri(path: string): monaco.Uri {
  created += 1;
  const clean = path.startsWith("untitled:") ? "/untitled" : path;
  return monaco.Uri.from({ scheme: "workspace", authority: String(created), path: clean });
}

/** The language that a file's name asks for. */
function languageOf(path: string): string {
  const name = tools().basename(path);
  const lower = name.toLowerCase();
  let found = "plaintext";
  let length = 0;
  for (const language of monaco.languages.getLanguages()) {
    if (language.filenames?.includes(name)) return language.id;
    for (const extension of language.extensions ?? []) {
      if (extension.length > length && lower.endsWith(extension.toLowerCase())) {
        found = language.id;
        length = extension.length;
      }
    }
  }
  return found;
}

/** A model beside the documents, for instance one side of a comparison. */
export function sideModel(text: string, path: string): monaco.editor.ITextModel {
  const model = monaco.editor.createModel(text, languageOf(path), freshUri(path));
  model.updateOptions(PLAIN_BRACKETS);
  return model;
}

export interface MonacoBuffer extends TextBuffer {
  readonly model: monaco.editor.ITextModel;
}

/** Creates the text of documents as Monaco models. */
export function bufferFactory(
  tabSize: () => number,
): (path: string, text: string, eol: Eol, plain: boolean) => MonacoBuffer {
  return (path, text, eol, plain) => {
    const byName = languageOf(path);
    // Without a telling name, the first line (`#!/bin/sh`) may say it.
    const language = plain ? "plaintext" : byName === "plaintext" ? undefined : byName;
    const model = monaco.editor.createModel(text, language, freshUri(path));
    model.setEOL(sequence(eol));
    model.detectIndentation(true, tabSize());
    model.updateOptions(PLAIN_BRACKETS);
    let listener: (() => void) | undefined;
    model.onDidChangeContent(() => listener?.());
    return {
      model,
      getText: () => model.getValue(),
      setText: (next) => replaceText(model, next),
      revision: () => model.getAlternativeVersionId(),
      setEol: (next) => model.pushEOL(sequence(next)),
      onChange: (next) => {
        listener = next;
      },
      setPath: (next) => {
        const wanted = languageOf(next);
        if (!plain && wanted !== "plaintext") monaco.editor.setModelLanguage(model, wanted);
      },
      dispose: () => model.dispose(),
    };
  };
}

function sequence(eol: Eol): monaco.editor.EndOfLineSequence {
  return eol === "crlf" ? monaco.editor.EndOfLineSequence.CRLF : monaco.editor.EndOfLineSequence.LF;
}

/** Replaces only what differs between the common beginning and end, as one step of undo. */
function replaceText(model: monaco.editor.ITextModel, next: string): void {
  const text = next.replace(/\r\n|\r|\n/g, model.getEOL());
  const before = model.getValue();
  if (text === before) return;
  let start = 0;
  const most = Math.min(before.length, text.length);
  while (start < most && before.charCodeAt(start) === text.charCodeAt(start)) start += 1;
  let end = 0;
  while (
    end < most - start &&
    before.charCodeAt(before.length - 1 - end) === text.charCodeAt(text.length - 1 - end)
  ) {
    end += 1;
  }
  // An edit must not begin or end inside a line end or a surrogate pair.
  start = Math.max(0, start - 1);
  end = Math.max(0, end - 1);
  const from = model.getPositionAt(start);
  const to = model.getPositionAt(before.length - end);
  model.pushStackElement();
  model.pushEditOperations(
    [],
    [
      {
        range: monaco.Range.fromPositions(from, to),
        text: text.slice(model.getOffsetAt(from), text.length - end),
      },
    ],
    () => null,
  );
  model.pushStackElement();
}

export { monaco };
