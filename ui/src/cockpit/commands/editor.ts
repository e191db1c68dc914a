import { type Command } from "@/commands";
import { type CockpitSession } from "../session/session";

/** Tabs and splits of the editor. */
export function editorCommands(session: CockpitSession): Command[] {
  const { groups } = session;
  const inEditor = () => groups.activePanel !== undefined;
  const closeActive = async () => {
    const panel = groups.activePanel;
    if (panel) await groups.close(panel);
  };
  return [
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
  ];
}
