import { type Command } from "@/commands";
import { deleteEntries } from "../explorer/entries";
import { chooseUpload } from "../explorer/upload";
import { extension } from "../model/path";
import { type CockpitSession } from "../session/session";

const MARKDOWN = ["md", "markdown", "mdx"];

/** Files: making, saving, deleting, previewing. */
export function fileCommands(session: CockpitSession): Command[] {
  const { groups } = session;
  const inEditor = () => groups.activePanel !== undefined;
  const inMarkdown = () => MARKDOWN.includes(extension(groups.activePane?.path ?? ""));
  const saveActive = async () => {
    const document = groups.activeDocument;
    if (document) await groups.save(document);
  };
  return [
    {
      id: "file.newUntitled",
      group: "File",
      title: "New text file",
      keys: ["Mod+N", "Mod+Alt+Shift+N"],
      run: () => groups.openUntitled(),
    },
    {
      id: "file.new",
      group: "File",
      title: "New file in the explorer",
      run: () => {
        session.showSide("explorer");
        session.tree.startEdit({ kind: "create", parent: session.tree.target, directory: false });
      },
    },
    {
      id: "file.newFolder",
      group: "File",
      title: "New folder in the explorer",
      run: () => {
        session.showSide("explorer");
        session.tree.startEdit({ kind: "create", parent: session.tree.target, directory: true });
      },
    },
    {
      id: "file.save",
      group: "File",
      title: "Save",
      keys: "Mod+S",
      when: ({ terminal }) => !terminal,
      run: saveActive,
    },
    {
      id: "file.saveAs",
      group: "File",
      title: "Save as",
      keys: "Mod+Shift+S",
      when: inEditor,
      run: async () => {
        const document = groups.activeDocument;
        if (document) await groups.saveAs(document);
      },
    },
    {
      id: "file.saveAll",
      group: "File",
      title: "Save all",
      keys: "Mod+K S",
      run: async () => {
        for (const document of session.documents.dirty) if (!document.untitled) await document.save();
      },
    },
    {
      id: "file.revert",
      group: "File",
      title: "Revert to the file on disk",
      when: () => groups.activeDocument?.untitled === false,
      run: async () => groups.activeDocument?.reload(),
    },
    {
      id: "file.delete",
      group: "File",
      title: "Delete the file in front",
      when: () => groups.activeDocument?.untitled === false,
      run: async () => {
        const document = groups.activeDocument;
        if (document) await deleteEntries(session, [document.path]);
      },
    },
    {
      id: "file.reveal",
      group: "File",
      title: "Show the file in the explorer",
      when: inEditor,
      run: () => {
        const path = groups.activePane?.path;
        session.showSide("explorer");
        if (path !== undefined) void session.tree.reveal(path);
      },
    },
    {
      id: "file.preview",
      group: "File",
      title: "Open Markdown preview",
      keys: "Mod+Shift+V",
      when: ({ terminal }) => !terminal && inMarkdown(),
      run: () => groups.open(groups.activePane?.path ?? "", { mode: "markdown", keep: true }),
    },
    {
      id: "file.previewBeside",
      group: "File",
      title: "Open Markdown preview to the side",
      keys: "Mod+K V",
      when: inMarkdown,
      run: () => groups.open(groups.activePane?.path ?? "", { mode: "markdown", beside: true }),
    },
    {
      id: "file.upload",
      group: "File",
      title: "Upload files",
      run: () => chooseUpload(session, session.tree.target),
    },
    {
      id: "file.undo",
      group: "File",
      title: "Undo the last change of files",
      when: () => session.fileUndo.next !== undefined,
      run: () => session.fileUndo.undo(),
    },
  ];
}
