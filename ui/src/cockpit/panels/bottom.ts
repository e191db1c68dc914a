import { type DockviewApi, type IDockviewPanel, type SerializedDockview } from "dockview-react";
import { type LayoutStore } from "../model/layout";
import { Observable } from "../model/observable";
import { type TerminalSession, type Terminals } from "../model/terminals";

export interface TerminalParams {
  terminal: number;
}

const FIXED = [
  { id: "ports", title: "Ports" },
  { id: "logs", title: "Logs" },
] as const;

export type FixedPanel = (typeof FIXED)[number]["id"];

function panelId(terminal: number): string {
  return `terminal-${terminal}`;
}

export function terminalOf(panel: IDockviewPanel | undefined): number | undefined {
  return (panel?.params as Partial<TerminalParams> | undefined)?.terminal;
}

interface Place {
  referencePanel: IDockviewPanel;
  direction: "right" | "within";
  index?: number;
}

/** The tabs and splits below the editor: terminals, ports, logs. */
export class BottomPanel extends Observable {
  private api: DockviewApi | undefined;
  private readonly terminals: Terminals;
  private readonly layout: LayoutStore;
  private lastTerminal: number | undefined;
  private restoring = false;
  /** A terminal that was in view has gone with its container: its successor takes the place. */
  private lostView = false;
  /** Nothing was kept: this workspace is opened for the first time. */
  readonly fresh: boolean;
  private focusWanted: string | undefined;

  constructor(terminals: Terminals, layout: LayoutStore) {
    super();
    this.terminals = terminals;
    this.layout = layout;
    this.fresh = layout.value.bottom === undefined;
  }

  attach(api: DockviewApi): void {
    this.api = api;
    const kept = this.layout.value.bottom;
    this.restoring = true;
    if (kept !== undefined) {
      try {
        api.fromJSON(kept as SerializedDockview);
      } catch {
        api.clear();
      }
    }
    this.restoring = false;
    for (const { id, title } of FIXED) {
      const neighbour = api.panels.at(-1);
      if (api.getPanel(id)) continue;
      api.addPanel({
        id,
        title,
        component: id,
        tabComponent: "fixed",
        inactive: neighbour !== undefined,
        ...(neighbour ? { position: { referencePanel: neighbour, direction: "within" } } : {}),
      });
    }
    this.reconcile();
    this.noteActive();
    api.onDidLayoutChange(() => this.remember());
    api.onDidActivePanelChange(() => {
      this.noteActive();
      this.remember();
    });
    this.changed();
  }

  private noteActive(): void {
    const terminal = terminalOf(this.api?.activePanel);
    if (terminal !== undefined) this.lastTerminal = terminal;
    this.changed();
  }

  private remember(): void {
    if (this.api && !this.restoring) this.layout.update({ bottom: this.api.toJSON() });
    this.changed();
  }

  get activePanel(): IDockviewPanel | undefined {
    return this.api?.activePanel;
  }

  /** The terminal in use, or the one used last. */
  get activeTerminal(): TerminalSession | undefined {
    const id = terminalOf(this.activePanel) ?? this.lastTerminal;
    return (id === undefined ? undefined : this.terminals.get(id)) ?? this.terminals.all.at(-1);
  }

  /** Gives each terminal its tab, and takes the tabs of closed ones away. */
  reconcile(): void {
    const { api } = this;
    if (!api || !this.terminals.ready) return;
    for (const panel of [...api.panels]) {
      const terminal = terminalOf(panel);
      if (terminal === undefined || this.terminals.get(terminal)) continue;
      this.lostView ||= panel.api.isVisible;
      api.removePanel(panel);
    }
    for (const session of this.terminals.all)
      if (!api.getPanel(panelId(session.id))) this.add(api, session.id, undefined);
    // Tabs of terminals that are gone may have left only the fixed ones in view.
    const shown = api.panels.some((panel) => terminalOf(panel) !== undefined && panel.api.isVisible);
    const first = this.terminals.all[0];
    if (first === undefined) return;
    if (!shown && (this.lostView || this.layout.value.bottom === undefined))
      api.getPanel(panelId(first.id))?.api.setActive();
    this.lostView = false;
  }

  private add(api: DockviewApi, terminal: number, beside: string | undefined): void {
    const reference = beside === undefined ? undefined : api.getPanel(beside);
    const last = [...api.panels].reverse().find((panel) => terminalOf(panel) !== undefined);
    const fixed = api.getPanel("ports");
    const place: Place | undefined = reference
      ? { referencePanel: reference, direction: "right" }
      : last
        ? { referencePanel: last, direction: "within", index: last.group.panels.indexOf(last) + 1 }
        : fixed && { referencePanel: fixed, direction: "within", index: 0 };
    this.addAt(api, terminal, place);
  }

  private addAt(api: DockviewApi, terminal: number, position: Place | undefined): void {
    api.addPanel<TerminalParams>({
      id: panelId(terminal),
      component: "terminal",
      tabComponent: "terminal",
      title: `Terminal ${terminal}`,
      params: { terminal },
      inactive: true,
      ...(position ? { position } : {}),
    });
  }

  /** Brings a terminal to the front, making its tab where it has none. */
  show(terminal: number, beside?: string): void {
    const { api } = this;
    if (!api) return;
    const present = api.getPanel(panelId(terminal));
    const neighbour = beside === undefined ? undefined : api.getPanel(beside);
    if (!present) this.add(api, terminal, beside);
    // The agent's list may have brought the tab before the answer did.
    else if (neighbour && neighbour !== present && neighbour.group === present.group) {
      present.api.moveTo({ group: neighbour.group, position: "right" });
    }
    this.focusWanted = panelId(terminal);
    api.getPanel(panelId(terminal))?.api.setActive();
    this.changed();
  }

  showFixed(id: FixedPanel): void {
    this.layout.update({ panel: { ...this.layout.value.panel, visible: true } });
    this.api?.getPanel(id)?.api.setActive();
    this.focusWanted = id;
    this.changed();
  }

  /** Goes to the next or the previous terminal. */
  step(by: number): void {
    const panels = (this.api?.panels ?? []).filter((panel) => terminalOf(panel) !== undefined);
    const at = panels.findIndex((panel) => terminalOf(panel) === this.activeTerminal?.id);
    const next = panels[(at + by + panels.length) % panels.length];
    const terminal = terminalOf(next);
    if (terminal !== undefined) this.show(terminal);
  }

  focus(): void {
    this.focusWanted = this.activePanel?.id;
    this.changed();
  }

  /** A terminal was clicked or typed into. */
  noteUsed(terminal: number): void {
    this.lastTerminal = terminal;
  }

  /** The terminal whose find bar is open. */
  finding: number | undefined;

  find(terminal: number | undefined): void {
    this.finding = terminal;
    this.changed();
  }

  /** Gives a new terminal the place of the one in `panel`. */
  replaceWith(panel: string, terminal: number): void {
    const { api } = this;
    const before = api?.getPanel(panel);
    if (!api || !before) return;
    if (!api.getPanel(panelId(terminal))) this.add(api, terminal, undefined);
    const index = before.group.panels.indexOf(before);
    api.getPanel(panelId(terminal))?.api.moveTo({ group: before.group, position: "center", index });
  }

  /** Whether the panel should take the focus, once. */
  takeFocus(panel: string): boolean {
    if (this.focusWanted !== panel) return false;
    this.focusWanted = undefined;
    return true;
  }
}
