import { type Command } from "@/commands";
import { toast, toastError } from "@/components";
import { type CockpitSession } from "../session/session";

/** Terminals: making, going between them, searching, copying. */
export function terminalCommands(session: CockpitSession, root: boolean): Command[] {
  const { bottom, screens } = session;
  const anyTerminal = () => bottom.activeTerminal !== undefined;
  const create = (options: Parameters<CockpitSession["newTerminal"]>[0] = {}) =>
    session.newTerminal(options).catch(toastError);
  return [
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
      id: "terminal.newRoot",
      group: "Terminal",
      title: "New root terminal",
      when: () => root,
      run: () => create({ asRoot: true }),
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
  ];
}
