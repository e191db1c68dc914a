import { type Command } from "@/commands";
import { type CockpitSession } from "../session/session";

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

/** The parts of the window, and going to a file or a line. */
export function viewCommands(session: CockpitSession): Command[] {
  const { groups, bottom } = session;
  const inEditor = () => groups.activePanel !== undefined;
  return [
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
      id: "git.refresh",
      group: "Git",
      title: "Read the Git state again",
      run: () => session.git.refresh(),
    },
  ];
}
