import { create } from "zustand";
import { type WorkspaceId } from "@/protocol/generated";

export type SettingsSection = "general" | "engines" | "models" | "usage" | "keys" | "json";

const SECTIONS: readonly SettingsSection[] = ["general", "engines", "models", "usage", "keys", "json"];

/** Parts of the settings of models: each has an address. */
export type ModelsPart = "servers" | "local" | "limits" | "programs";

const PARTS: readonly ModelsPart[] = ["servers", "local", "limits", "programs"];

export type View =
  | { kind: "home" }
  | { kind: "workspace"; id: WorkspaceId }
  | { kind: "settings"; section: SettingsSection; part?: ModelsPart };

export type Overlay = "palette" | "switcher" | "create" | "import";

interface Navigation {
  view: View;
  /** Workspaces open as tabs, in their order. */
  tabs: readonly WorkspaceId[];
  /** Workspaces shown, the latest first: what the switcher goes by. */
  recent: readonly WorkspaceId[];
  /** At most one thing above the view. */
  overlay: Overlay | undefined;
  /** What the create dialog begins with. */
  createText: string;
}

export const useNavigation = create<Navigation>(() => ({
  view: parseHash(typeof location === "undefined" ? "" : location.hash),
  tabs: [],
  recent: [],
  overlay: undefined,
  createText: "",
}));

const { setState, getState } = useNavigation;

export function go(view: View): void {
  setState(({ tabs, recent }) => {
    if (view.kind !== "workspace") return { view };
    return {
      view,
      tabs: tabs.includes(view.id) ? tabs : [...tabs, view.id],
      recent: [view.id, ...recent.filter((id) => id !== view.id)],
    };
  });
}

export const goHome = () => go({ kind: "home" });
export const openSettings = (section: SettingsSection = "general") => go({ kind: "settings", section });
export const openModels = (part: ModelsPart) => go({ kind: "settings", section: "models", part });
export const showWorkspace = (id: WorkspaceId) => go({ kind: "workspace", id });

/** Closes a tab; the workspace itself runs on. */
export function closeTab(id: WorkspaceId): void {
  const { view, tabs, recent } = getState();
  const index = tabs.indexOf(id);
  if (index < 0) return;
  const left = tabs.filter((tab) => tab !== id);
  setState({ tabs: left, recent: recent.filter((entry) => entry !== id) });
  if (view.kind === "workspace" && view.id === id) {
    const next = left[Math.min(index, left.length - 1)];
    go(next === undefined ? { kind: "home" } : { kind: "workspace", id: next });
  }
}

/** Shows the tab `step` places on, Workspaces being the first place. */
export function stepTab(step: number): void {
  const { view, tabs } = getState();
  const places = [undefined, ...tabs];
  const at = view.kind === "workspace" ? places.indexOf(view.id) : 0;
  const next = places[(at + step + places.length) % places.length];
  go(next === undefined ? { kind: "home" } : { kind: "workspace", id: next });
}

export function showOverlay(overlay: Overlay | undefined): void {
  setState({ overlay });
}

export function startCreate(text = ""): void {
  setState({ overlay: "create", createText: text });
}

/** The workspace in view, or undefined. */
export function useActiveWorkspace(): WorkspaceId | undefined {
  return useNavigation(({ view }) => (view.kind === "workspace" ? view.id : undefined));
}

export function parseHash(hash: string): View {
  const [, kind, rest, last] = /^#\/(workspace|settings)(?:\/([a-z0-9]+))?(?:\/([a-z]+))?$/.exec(hash) ?? [];
  if (kind === "workspace" && rest !== undefined && last === undefined)
    return { kind: "workspace", id: rest };
  if (kind === "settings") {
    const section = SECTIONS.find((each) => each === rest) ?? "general";
    const part = section === "models" ? PARTS.find((each) => each === last) : undefined;
    return part === undefined ? { kind: "settings", section } : { kind: "settings", section, part };
  }
  return { kind: "home" };
}

export function formatHash(view: View): string {
  switch (view.kind) {
    case "home":
      return "#/";
    case "workspace":
      return `#/workspace/${view.id}`;
    case "settings":
      return view.part === undefined || view.part === "servers"
        ? `#/settings/${view.section}`
        : `#/settings/${view.section}/${view.part}`;
  }
}

/** Keeps the address and the view the same, so that back, forward and reload do what people expect. */
export function followAddress(): () => void {
  const stop = useNavigation.subscribe(({ view }, before) => {
    const hash = formatHash(view);
    if (view !== before.view && location.hash !== hash) history.pushState(null, "", hash);
  });
  // The desktop's tray and notifications set the fragment too.
  const onPop = () => {
    if (formatHash(getState().view) !== location.hash) go(parseHash(location.hash));
  };
  window.addEventListener("popstate", onPop);
  window.addEventListener("hashchange", onPop);
  go(getState().view);
  return () => {
    stop();
    window.removeEventListener("popstate", onPop);
    window.removeEventListener("hashchange", onPop);
  };
}
