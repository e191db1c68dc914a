import { useCommands } from "@/commands";
import { toast, toastError } from "@/components";
import { deleteEntries } from "./explorer/files";
import { extension } from "./model/path";
import { type CockpitSession } from "./session/session";

const REGIONS = ["side", "editor", "panel", "status"] as const;

/** Takes the focus to the next of the window's regions. */
function stepRegion(session: CockpitSession, by: number): void {
  const { sideBar, panel } = session.layout.value;
  const present = REGIONS.filter((region) =>
    region === "side" ? sideBar.visible : region === "panel" ? panel.visible : true,
  );
  const element = document.activeElement;
  const at = element?.closest("footer")
    ? "status"
    : (element?.closest("[data-region]")?.getAttribute("data-region") ?? "status");
  const index = present.findIndex((region) => region === at);
  const next = present[(index + by + present.length) % present.length];
  if (next === "side") session.showSide(sideBar.view);
  else if (next === "editor") session.groups.focus();
  else if (next === "panel") session.bottom.focus();
  else document.querySelector<HTMLElement>("footer button, footer a")?.focus();
}

/** The selection of the editor in use, where it lies within one line. */
function selectedText(session: CockpitSession): string | undefined {
  const { editor } = session.cursor;
  const selection = editor?.getSelection();
  const text = selection ? editor?.getModel()?.getValueInRange(selection) : undefined;
  return text === undefined || text === "" || text.includes("\n") ? undefined : text;
}

/** Everything that can be done in a workspace, for the palette, menus and keys. */
export function useCockpitCommands(session: CockpitSession, active: boolean): void {
  const { groups, bottom, screens } = session;
  const inEditor = () => groups.activePanel !== undefined;
  const anyTerminal = () => bottom.activeTerminal !== undefined;
  const create = (options: Parameters<CockpitSession["newTerminal"]>[0] = {}) =>
    session.newTerminal(options).catch(toastError);
  const closeActive = async () => {
    const panel = groups.activePanel;
    if (panel) await groups.close(panel);
  };
  const saveActive = async () => {
    const document = groups.activeDocument;
    if (document) await groups.save(document);
  };

  useCommands(
    [
      {
        id: "cockpit.quickOpen",
        group: "Go",
        title: "Open file by name",
        keys: ["Mod+P", "Mod+E"],
        run: () => session.quickOpen(),
      },
      {
        id: "cockpit.goToLine",
        group: "Go",
        title: "Go to line",
        keys: "Mod+G",
        when: inEditor,
        run: () => session.quickOpen(":"),
      },
      {
        id: "cockpit.explorer",
        group: "View",
        title: "Show explorer",
        keys: "Mod+Shift+E",
        run: () => session.showSide("explorer"),
      },
      {
        id: "cockpit.search",
        group: "View",
        title: "Search in files",
        keys: "Mod+Shift+F",
        run: () => session.openSearch(selectedText(session)),
      },
      { id: "cockpit.ports", group: "View", title: "Show ports", run: () => session.showSide("ports") },
      {
        id: "cockpit.logs",
        group: "View",
        title: "Show container output",
        keys: "Mod+Shift+U",
        run: () => bottom.showFixed("logs"),
      },
      {
        id: "cockpit.sideBar",
        group: "View",
        title: "Show or hide the side bar",
        keys: "Mod+B",
        run: () => {
          const { sideBar } = session.layout.value;
          session.layout.update({ sideBar: { ...sideBar, visible: !sideBar.visible } });
        },
      },
      {
        id: "cockpit.panel",
        group: "View",
        title: "Show or hide the panel",
        keys: "Mod+J",
        run: () => session.togglePanel(),
      },
      {
        id: "cockpit.maximisePanel",
        group: "View",
        title: "Maximise or restore the panel",
        run: () => {
          const { panel } = session.layout.value;
          session.layout.update({ panel: { ...panel, visible: true, maximised: !panel.maximised } });
        },
      },
      {
        id: "cockpit.nextRegion",
        group: "View",
        title: "Go to next part of the window",
        keys: "F6",
        inTerminal: true,
        run: () => stepRegion(session, 1),
      },
      {
        id: "cockpit.previousRegion",
        group: "View",
        title: "Go to previous part of the window",
        keys: "Shift+F6",
        inTerminal: true,
        run: () => stepRegion(session, -1),
      },

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
        when: ({ terminal }) =>
          !terminal && ["md", "markdown", "mdx"].includes(extension(groups.activePane?.path ?? "")),
        run: () => groups.open(groups.activePane?.path ?? "", { mode: "markdown", keep: true }),
      },
      {
        id: "file.previewBeside",
        group: "File",
        title: "Open Markdown preview to the side",
        keys: "Mod+K V",
        when: () => ["md", "markdown", "mdx"].includes(extension(groups.activePane?.path ?? "")),
        run: () => groups.open(groups.activePane?.path ?? "", { mode: "markdown", beside: true }),
      },

      {
        id: "editor.split",
        group: "Editor",
        title: "Split editor right",
        keys: "Mod+\\",
        when: inEditor,
        run: () => groups.split("right"),
      },
      {
        id: "editor.splitDown",
        group: "Editor",
        title: "Split editor down",
        keys: "Mod+K Mod+\\",
        when: inEditor,
        run: () => groups.split("below"),
      },
      {
        id: "editor.close",
        group: "Editor",
        title: "Close editor tab",
        keys: ["Mod+W", "Alt+W"],
        when: ({ terminal }) => !terminal && inEditor(),
        run: closeActive,
      },
      {
        id: "editor.closeAll",
        group: "Editor",
        title: "Close all editor tabs",
        keys: "Mod+K Mod+W",
        when: inEditor,
        run: () => groups.closeAll(groups.panels),
      },
      {
        id: "editor.reopen",
        group: "Editor",
        title: "Reopen closed tab",
        keys: ["Mod+Shift+T", "Mod+Alt+T"],
        when: () => groups.canReopen,
        run: () => groups.reopenClosed(),
      },
      {
        id: "editor.keep",
        group: "Editor",
        title: "Keep previewed tab open",
        keys: "Mod+K Enter",
        when: inEditor,
        run: () => {
          if (groups.activePanel) groups.keep(groups.activePanel);
        },
      },
      {
        id: "editor.next",
        group: "Editor",
        title: "Go to next tab",
        keys: ["Mod+PageDown", "Alt+PageDown"],
        when: ({ terminal }) => !terminal,
        run: () => groups.step(1),
      },
      {
        id: "editor.previous",
        group: "Editor",
        title: "Go to previous tab",
        keys: ["Mod+PageUp", "Alt+PageUp"],
        when: ({ terminal }) => !terminal,
        run: () => groups.step(-1),
      },
      {
        id: "editor.focus1",
        group: "Editor",
        title: "Go to first editor group",
        keys: "Mod+1",
        run: () => groups.focusGroup(0),
      },
      {
        id: "editor.focus2",
        group: "Editor",
        title: "Go to second editor group",
        keys: "Mod+2",
        run: () => groups.focusGroup(1),
      },
      {
        id: "editor.focus3",
        group: "Editor",
        title: "Go to third editor group",
        keys: "Mod+3",
        run: () => groups.focusGroup(2),
      },
      {
        id: "editor.language",
        group: "Editor",
        title: "Change language",
        keys: "Mod+K M",
        when: () => session.cursor.editor !== undefined,
        run: () => session.chooseLanguage(),
      },

      {
        id: "terminal.toggle",
        group: "Terminal",
        title: "Show or hide terminals",
        keys: "Mod+`",
        inTerminal: true,
        run: async () => {
          const { visible } = session.layout.value.panel;
          const inPanel = document.activeElement?.closest("[data-region=panel]") != null;
          if (visible && !inPanel && bottom.activeTerminal) bottom.show(bottom.activeTerminal.id);
          else if (visible) session.togglePanel(false);
          else if (bottom.activeTerminal) {
            session.togglePanel(true);
            bottom.show(bottom.activeTerminal.id);
          } else await create();
        },
      },
      {
        id: "terminal.new",
        group: "Terminal",
        title: "New terminal",
        keys: "Mod+Shift+`",
        run: () => create(),
      },
      {
        id: "terminal.split",
        group: "Terminal",
        title: "Split terminal",
        keys: "Mod+Shift+5",
        run: () => {
          const terminal = bottom.activeTerminal;
          const directory = terminal?.info.directory;
          return create({
            beside: terminal && `terminal-${terminal.id}`,
            ...(directory === undefined ? {} : { directory }),
          });
        },
      },
      {
        id: "terminal.next",
        group: "Terminal",
        title: "Go to next terminal",
        keys: "Mod+Shift+]",
        when: anyTerminal,
        run: () => bottom.step(1),
      },
      {
        id: "terminal.previous",
        group: "Terminal",
        title: "Go to previous terminal",
        keys: "Mod+Shift+[",
        when: anyTerminal,
        run: () => bottom.step(-1),
      },
      {
        id: "terminal.rename",
        group: "Terminal",
        title: "Rename terminal",
        when: anyTerminal,
        run: async () => {
          if (bottom.activeTerminal) await session.renameTerminal(bottom.activeTerminal);
        },
      },
      {
        id: "terminal.close",
        group: "Terminal",
        title: "Close terminal",
        when: anyTerminal,
        run: async () => {
          if (bottom.activeTerminal) await session.closeTerminal(bottom.activeTerminal);
        },
      },
      {
        id: "terminal.find",
        group: "Terminal",
        title: "Find in terminal",
        keys: "Mod+Alt+F",
        inTerminal: true,
        when: anyTerminal,
        run: () => bottom.find(bottom.activeTerminal?.id),
      },
      {
        id: "terminal.copy",
        group: "Terminal",
        title: "Copy from terminal",
        keys: "Mod+Shift+C",
        when: ({ terminal }) => terminal,
        run: async () => {
          const terminal = bottom.activeTerminal;
          const text = terminal && screens.of(terminal).terminal.getSelection();
          if (text !== undefined && text !== "") await navigator.clipboard.writeText(text).catch(toastError);
        },
      },
      {
        id: "terminal.clear",
        group: "Terminal",
        title: "Clear terminal",
        when: anyTerminal,
        run: () => {
          if (bottom.activeTerminal) screens.of(bottom.activeTerminal).terminal.clear();
        },
      },
      {
        id: "terminal.screenReader",
        group: "Terminal",
        title: "Switch screen reader mode of terminals on or off",
        run: () => {
          screens.setScreenReader(!screens.screenReader);
          toast({ message: `Screen reader mode of terminals is ${screens.screenReader ? "on" : "off"}.` });
        },
      },
      {
        id: "git.refresh",
        group: "Git",
        title: "Read the Git state again",
        run: () => session.git.refresh(),
      },
    ],
    active,
  );
}
