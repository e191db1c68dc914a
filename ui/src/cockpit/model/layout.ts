import { Observable } from "./observable";
import { moved } from "./path";
import { EMPTY_QUERY, type SearchQuery } from "./search";

export type SideView = "explorer" | "search" | "ports";

/** How a person left a workspace; everything that a return restores, but for drafts and terminals. */
export interface Layout {
  version: 1;
  sideBar: { view: SideView; visible: boolean; width: number };
  panel: { visible: boolean; height: number; maximised: boolean };
  /** The splits and tabs of the editor and of the bottom panel, as the layout library writes them. */
  editor: unknown;
  bottom: unknown;
  expanded: string[];
  focused: string | undefined;
  /** Cursor, scroll position and folds of files, by path. */
  views: Record<string, unknown>;
  /** Files opened, the latest first. */
  recent: string[];
  query: SearchQuery;
}

export const INITIAL_LAYOUT: Layout = {
  version: 1,
  sideBar: { view: "explorer", visible: true, width: 260 },
  panel: { visible: true, height: 260, maximised: false },
  editor: undefined,
  bottom: undefined,
  expanded: [],
  focused: undefined,
  views: {},
  recent: [],
  query: EMPTY_QUERY,
};

const SAVE_DELAY_MS = 400;
const RECENT_KEPT = 100;
const VIEWS_KEPT = 200;
/** The host takes values of up to 1 MiB. */
const MAX_LENGTH = 900_000;

/** What was kept, made whole where an older or damaged value lacks something. */
export function readLayout(kept: unknown): Layout {
  if (typeof kept !== "object" || kept === null || (kept as { version?: unknown }).version !== 1)
    return INITIAL_LAYOUT;
  const layout = kept as Partial<Layout>;
  return {
    ...INITIAL_LAYOUT,
    ...layout,
    sideBar: { ...INITIAL_LAYOUT.sideBar, ...layout.sideBar },
    panel: { ...INITIAL_LAYOUT.panel, ...layout.panel },
    query: { ...EMPTY_QUERY, ...layout.query },
  };
}

/** The layout in use; changes are kept by the host a moment after they come to rest. */
export class LayoutStore extends Observable {
  value: Layout;
  private readonly put: (layout: Layout) => Promise<unknown>;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(value: Layout, put: (layout: Layout) => Promise<unknown>) {
    super();
    this.value = value;
    this.put = put;
  }

  update(change: Partial<Layout>): void {
    this.value = { ...this.value, ...change };
    this.timer ??= setTimeout(() => this.flush(), SAVE_DELAY_MS);
    this.changed();
  }

  noteOpened(path: string): void {
    if (this.value.recent[0] === path || path.startsWith("untitled:")) return;
    const recent = [path, ...this.value.recent.filter((other) => other !== path)].slice(0, RECENT_KEPT);
    this.update({ recent });
  }

  /** Follows a renamed or moved file or folder. */
  followMove(from: string, to: string): void {
    const recent = [...new Set(this.value.recent.map((path) => moved(path, from, to)))];
    const views = Object.entries(this.value.views).map(([path, view]) => [moved(path, from, to), view]);
    this.update({ recent, views: Object.fromEntries(views) as Layout["views"] });
  }

  noteView(path: string, view: unknown): void {
    const others = Object.entries(this.value.views).filter(([other]) => other !== path);
    // The newest last, so that the oldest are the ones to go.
    const entries = [...others, [path, view] as const].slice(-VIEWS_KEPT);
    this.update({ views: Object.fromEntries(entries) });
  }

  /** Keeps what is pending, now. */
  flush(): void {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    const whole = this.value;
    const fits = JSON.stringify(whole).length <= MAX_LENGTH;
    // While the host is away nothing is lost that matters: the next change is kept again.
    this.put(fits ? whole : { ...whole, views: {}, recent: [] }).catch(() => undefined);
  }
}
