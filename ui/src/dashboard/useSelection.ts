import { useState } from "react";
import { type Workspace, type WorkspaceId } from "@/protocol/generated";

export interface Selection {
  ids: ReadonlySet<WorkspaceId>;
  toggle(id: WorkspaceId): void;
  /** From the last toggled one to this one, in the shown order. */
  extendTo(id: WorkspaceId, order: readonly Workspace[]): void;
  set(ids: Iterable<WorkspaceId>): void;
  clear(): void;
}

export function useSelection(): Selection {
  const [ids, setIds] = useState<ReadonlySet<WorkspaceId>>(new Set());
  const [anchor, setAnchor] = useState<WorkspaceId | undefined>();
  return {
    ids,
    toggle: (id) => {
      const next = new Set(ids);
      if (!next.delete(id)) next.add(id);
      setIds(next);
      setAnchor(id);
    },
    extendTo: (id, order) => {
      const from = order.findIndex((workspace) => workspace.id === anchor);
      const to = order.findIndex((workspace) => workspace.id === id);
      const [low, high] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
      setIds(new Set([...ids, ...order.slice(low, high + 1).map((workspace) => workspace.id)]));
    },
    set: (next) => setIds(new Set(next)),
    clear: () => setIds(new Set()),
  };
}
