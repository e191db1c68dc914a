// The page's colour tokens as the editor needs them. They are read from the document, so that a change of theme, of
// contrast, or an imported theme reaches the code without a second list of colours.
import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { type ThemeRegistration } from "@shikijs/types";

export function isDark(): boolean {
  return document.documentElement.dataset.theme === "dark";
}

/** A token's value as `#rrggbb` or `#rrggbbaa`, which Monaco and xterm want. */
export function tokenColour(name: string, alpha = 1): string {
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // The build shortens `#ffffff` to `#fff`.
  const long = /^#[0-9a-f]{3}$/i.test(value) ? value.replace(/[0-9a-f]/gi, "$&$&") : value;
  return withAlpha(/^#[0-9a-f]{6}$/i.test(long) ? long : "#888888", alpha);
}

function withAlpha(colour: string, alpha: number): string {
  if (alpha >= 1) return colour;
  return (
    colour +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, "0")
  );
}

/** What grammars call things, in the order from general to particular. */
export function textMateTheme(): ThemeRegistration {
  const comment = tokenColour("--code-comment");
  const keyword = tokenColour("--code-keyword");
  const string = tokenColour("--code-string");
  const number = tokenColour("--code-number");
  const type = tokenColour("--code-type");
  const called = tokenColour("--code-function");
  const text = tokenColour("--code-fg");
  const wrong = tokenColour("--failed");
  const rules: [scopes: string, foreground: string, fontStyle?: string][] = [
    ["comment, punctuation.definition.comment, string.quoted.docstring", comment, "italic"],
    [
      "string, punctuation.definition.string, constant.character, markup.inline.raw, markup.fenced_code",
      string,
    ],
    ["constant.numeric, constant.language, constant.other, keyword.other.unit, support.constant", number],
    ["string.regexp, constant.character.escape, punctuation.definition.template-expression", number],
    ["keyword, storage, storage.type, variable.language, keyword.operator.word", keyword],
    [
      "keyword.operator, punctuation, meta.brace, keyword.operator.assignment, storage.type.function.arrow",
      text,
    ],
    [
      "keyword.operator.new, keyword.operator.expression, keyword.operator.logical.python, keyword.operator.wordlike",
      keyword,
    ],
    [
      "entity.name.type, entity.name.class, entity.name.namespace, entity.name.module, support.type, support.class",
      type,
    ],
    [
      "entity.other.inherited-class, entity.name.scope-resolution, storage.type.java, storage.type.cs, storage.type.primitive",
      type,
    ],
    [
      "keyword.type.go, storage.type.numeric.go, storage.type.string.go, entity.name.type.numeric.rust, storage.type.built-in",
      type,
    ],
    [
      "entity.name.function, support.function, meta.function-call.generic, variable.function, entity.name.command",
      called,
    ],
    [
      "entity.name.function.macro, entity.name.function.preprocessor, meta.preprocessor, meta.attribute.rust",
      called,
    ],
    [
      "entity.name.function.decorator, punctuation.definition.decorator, meta.decorator, storage.type.annotation",
      called,
    ],
    ["entity.name.tag, punctuation.definition.tag", keyword],
    ["entity.other.attribute-name", called],
    [
      "support.type.property-name, meta.object-literal.key, entity.name.tag.yaml, variable.other.key.toml",
      called,
    ],
    ["entity.name.table, support.type.property-name.table, entity.name.section.group-title", type],
    ["entity.name.lifetime, punctuation.definition.lifetime, storage.modifier.lifetime", number],
    ["variable, variable.parameter, variable.other, meta.embedded, source", text],
    [
      "variable.language.this, variable.language.self, variable.parameter.function.language.special.self",
      keyword,
    ],
    ["variable.other.constant, variable.other.enummember, entity.name.constant", number],
    ["markup.heading, entity.name.section, punctuation.definition.heading", called, "bold"],
    ["markup.bold", text, "bold"],
    ["markup.italic", text, "italic"],
    ["markup.underline.link, string.other.link, constant.other.reference.link", type, "underline"],
    ["markup.list, punctuation.definition.list", keyword],
    ["markup.quote", comment],
    ["markup.inserted, punctuation.definition.inserted", tokenColour("--running")],
    ["markup.deleted, punctuation.definition.deleted", wrong],
    ["markup.changed, punctuation.definition.changed", tokenColour("--starting")],
    ["meta.diff.header, meta.diff.range", called],
    ["invalid, invalid.illegal", wrong],
  ];
  const background = tokenColour("--code-bg");
  return {
    name: isDark() ? "dark" : "light",
    type: isDark() ? "dark" : "light",
    fg: text,
    bg: background,
    settings: [
      { settings: { foreground: text, background } },
      ...rules.map(([scopes, foreground, fontStyle]) => ({
        scope: scopes.split(", "),
        settings: fontStyle === undefined ? { foreground } : { foreground, fontStyle },
      })),
    ],
  };
}

/** The editor's own colours: everything but the code. */
export function monacoTheme(): Monaco.editor.IStandaloneThemeData {
  const line = tokenColour("--line");
  const raised = tokenColour("--raised");
  const text = tokenColour("--fg");
  const faint = tokenColour("--faint");
  const accent = tokenColour("--accent");
  const focus = tokenColour("--focus");
  return {
    base: isDark() ? "vs-dark" : "vs",
    inherit: true,
    rules: [
      {
        token: "",
        foreground: tokenColour("--code-fg").slice(1),
        background: tokenColour("--code-bg").slice(1),
      },
    ],
    colors: {
      foreground: text,
      focusBorder: focus,
      errorForeground: tokenColour("--failed"),
      descriptionForeground: tokenColour("--muted"),
      "editor.background": tokenColour("--code-bg"),
      "editor.foreground": tokenColour("--code-fg"),
      "editor.lineHighlightBackground": tokenColour("--code-line"),
      "editor.lineHighlightBorder": "#00000000",
      "editor.selectionBackground": tokenColour("--code-selection"),
      "editor.inactiveSelectionBackground": tokenColour("--code-selection", 0.55),
      "editor.selectionHighlightBackground": tokenColour("--code-selection", 0.5),
      "editor.wordHighlightBackground": tokenColour("--code-selection", 0.45),
      "editor.wordHighlightStrongBackground": tokenColour("--code-selection", 0.65),
      "editor.findMatchBackground": tokenColour("--starting", 0.5),
      "editor.findMatchHighlightBackground": tokenColour("--starting", 0.25),
      "editor.rangeHighlightBackground": tokenColour("--accent", 0.1),
      "editor.foldBackground": tokenColour("--code-selection", 0.25),
      "editorCursor.foreground": focus,
      "editorLineNumber.foreground": tokenColour("--faint"),
      "editorLineNumber.activeForeground": text,
      "editorIndentGuide.background1": line,
      "editorIndentGuide.activeBackground1": tokenColour("--line-strong"),
      "editorWhitespace.foreground": tokenColour("--line-strong"),
      "editorRuler.foreground": line,
      "editorBracketMatch.background": tokenColour("--accent", 0.15),
      "editorBracketMatch.border": tokenColour("--accent", 0.6),
      "editorGutter.background": tokenColour("--code-bg"),
      "editorOverviewRuler.border": "#00000000",
      "editorWidget.background": raised,
      "editorWidget.foreground": text,
      "editorWidget.border": line,
      "editorWidget.resizeBorder": line,
      "editorHoverWidget.background": raised,
      "editorHoverWidget.border": line,
      "editorSuggestWidget.background": raised,
      "editorSuggestWidget.border": line,
      "editorSuggestWidget.foreground": text,
      "editorSuggestWidget.selectedBackground": tokenColour("--selected"),
      "editorSuggestWidget.selectedForeground": text,
      "editorSuggestWidget.highlightForeground": tokenColour("--accent-text"),
      "editorSuggestWidget.focusHighlightForeground": tokenColour("--accent-text"),
      "editorStickyScroll.background": tokenColour("--code-bg"),
      "editorStickyScroll.border": line,
      "editorStickyScrollHover.background": tokenColour("--hover"),
      "editorLink.activeForeground": tokenColour("--accent-text"),
      "editorUnicodeHighlight.border": tokenColour("--starting"),
      "minimap.background": tokenColour("--code-bg"),
      "scrollbar.shadow": "#00000000",
      "scrollbarSlider.background": tokenColour("--line-strong", 0.5),
      "scrollbarSlider.hoverBackground": tokenColour("--line-strong", 0.8),
      "scrollbarSlider.activeBackground": tokenColour("--line-strong"),
      "widget.border": line,
      "widget.shadow": isDark() ? "#00000080" : "#00000022",
      "input.background": tokenColour("--canvas"),
      "input.foreground": text,
      "input.border": tokenColour("--line-strong"),
      "input.placeholderForeground": faint,
      "inputOption.activeBackground": tokenColour("--accent", 0.25),
      "inputOption.activeBorder": focus,
      "inputOption.activeForeground": text,
      "list.hoverBackground": tokenColour("--hover"),
      "list.activeSelectionBackground": tokenColour("--selected"),
      "list.activeSelectionForeground": text,
      "list.inactiveSelectionBackground": tokenColour("--active"),
      "list.focusBackground": tokenColour("--selected"),
      "list.focusForeground": text,
      "list.highlightForeground": tokenColour("--accent-text"),
      "list.focusHighlightForeground": tokenColour("--accent-text"),
      "quickInput.background": raised,
      "quickInput.foreground": text,
      "quickInputList.focusBackground": tokenColour("--selected"),
      "quickInputList.focusForeground": text,
      "pickerGroup.foreground": tokenColour("--muted"),
      "pickerGroup.border": line,
      "menu.background": raised,
      "menu.foreground": text,
      "menu.border": line,
      "menu.separatorBackground": line,
      "menu.selectionBackground": tokenColour("--hover"),
      "menu.selectionForeground": text,
      "diffEditor.insertedLineBackground": tokenColour("--running", 0.12),
      "diffEditor.insertedTextBackground": tokenColour("--running", 0.22),
      "diffEditor.removedLineBackground": tokenColour("--failed", 0.12),
      "diffEditor.removedTextBackground": tokenColour("--failed", 0.22),
      "diffEditor.border": line,
      "diffEditor.diagonalFill": tokenColour("--line"),
      "button.background": accent,
      "button.foreground": tokenColour("--accent-fg"),
      "button.hoverBackground": tokenColour("--accent-hover"),
      "progressBar.background": accent,
      "badge.background": tokenColour("--active"),
      "badge.foreground": text,
      "toolbar.hoverBackground": tokenColour("--hover"),
      "keybindingLabel.background": tokenColour("--surface"),
      "keybindingLabel.foreground": text,
      "keybindingLabel.border": line,
      "keybindingLabel.bottomBorder": line,
    },
  };
}

/** Calls back whenever the page's colours change; returns how to stop. */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const contrast = window.matchMedia("(prefers-contrast: more)");
  contrast.addEventListener("change", listener);
  return () => {
    observer.disconnect();
    contrast.removeEventListener("change", listener);
  };
}
