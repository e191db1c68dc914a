import { type editor } from "monaco-editor/editor/editor.api.js";
import { Observable } from "../model/observable";

export interface CursorState {
  line: number;
  column: number;
  /** Characters selected, and how many cursors. */
  selected: number;
  cursors: number;
  language: string;
  indent: string;
}

/** Where the cursor of the editor used last stands, for the status bar; and that editor, for commands. */
export class Cursor extends Observable {
  state: CursorState | undefined;
  editor: editor.IStandaloneCodeEditor | undefined;

  follow(from: editor.IStandaloneCodeEditor): void {
    const model = from.getModel();
    const position = from.getPosition();
    if (!model || !position) return;
    this.editor = from;
    const selections = from.getSelections() ?? [];
    const options = model.getOptions();
    this.state = {
      line: position.lineNumber,
      column: position.column,
      selected: selections.reduce((sum, range) => sum + model.getValueLengthInRange(range), 0),
      cursors: selections.length,
      language: model.getLanguageId(),
      indent: options.insertSpaces ? `Spaces: ${options.indentSize}` : `Tab size: ${options.tabSize}`,
    };
    this.changed();
  }

  leave(from: editor.IStandaloneCodeEditor): void {
    if (this.editor !== from) return;
    this.editor = undefined;
    this.state = undefined;
    this.changed();
  }
}
