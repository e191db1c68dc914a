import { monaco } from "./monaco";

/** A code editor and the element it draws into. */
export interface PooledEditor {
  editor: monaco.editor.IStandaloneCodeEditor;
  element: HTMLElement;
}

const KEPT = 3;
const idle: PooledEditor[] = [];

/**
 * An editor to show a file with. Making one takes tens of milliseconds and megabytes, so only files in view have one,
 * and those put away are used again.
 */
export function takeEditor(place: HTMLElement): PooledEditor {
  const pooled = idle.pop() ?? createEditor();
  place.append(pooled.element);
  pooled.editor.layout();
  return pooled;
}

export function returnEditor(pooled: PooledEditor): void {
  pooled.editor.setModel(null);
  pooled.element.remove();
  if (idle.length < KEPT) idle.push(pooled);
  else pooled.editor.dispose();
}

function createEditor(): PooledEditor {
  const element = document.createElement("div");
  element.className = "absolute inset-0";
  const editor = monaco.editor.create(element, {
    model: null,
    automaticLayout: true,
    fontFamily: '"JetBrains Mono Variable", ui-monospace, monospace',
    fontLigatures: false,
    lineHeight: 1.55,
    cursorBlinking: "smooth",
    cursorSurroundingLines: 3,
    smoothScrolling: false,
    scrollBeyondLastLine: true,
    renderLineHighlight: "all",
    renderLineHighlightOnlyWhenFocus: true,
    renderWhitespace: "selection",
    bracketPairColorization: { enabled: false },
    guides: { indentation: true, bracketPairs: false },
    stickyScroll: { enabled: true, maxLineCount: 4 },
    padding: { top: 6 },
    lineNumbersMinChars: 4,
    glyphMargin: false,
    folding: true,
    showFoldingControls: "mouseover",
    matchBrackets: "always",
    occurrencesHighlight: "singleFile",
    links: true,
    contextmenu: true,
    fixedOverflowWidgets: true,
    overviewRulerBorder: false,
    hideCursorInOverviewRuler: true,
    wordBasedSuggestions: "allDocuments",
    unicodeHighlight: { ambiguousCharacters: true, invisibleCharacters: true },
    largeFileOptimizations: true,
    scrollbar: { verticalScrollbarSize: 10, horizontalScrollbarSize: 10, useShadows: false },
    accessibilitySupport: "auto",
    tabFocusMode: false,
    multiCursorModifier: "alt",
    dropIntoEditor: { enabled: false },
  });
  // A font that arrives late changes the width of every column.
  void document.fonts.ready.then(() => monaco.editor.remeasureFonts());
  return { editor, element };
}
