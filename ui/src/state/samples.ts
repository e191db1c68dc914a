import { useEffect, useSyncExternalStore } from "react";
import { useClient } from "@/client";
import { type Sample, type WorkspaceId, type WorkspaceSample } from "@/protocol/generated";

// Ten minutes at one sample in two seconds, as the host keeps them.
const KEPT = 300;
const NONE: readonly Sample[] = [];

const histories = new Map<WorkspaceId, readonly Sample[]>();
const listeners = new Map<WorkspaceId, Set<() => void>>();
const asked = new Set<WorkspaceId>();

function set(workspace: WorkspaceId, samples: readonly Sample[]): void {
  histories.set(workspace, samples);
  for (const listener of listeners.get(workspace) ?? []) listener();
}

/** Adds pushed samples. Each workspace's watchers are told alone, so one sample redraws one card. */
export function addSamples(added: readonly WorkspaceSample[]): void {
  for (const { workspace, sample } of added) {
    set(workspace, [...(histories.get(workspace) ?? NONE).slice(1 - KEPT), sample]);
  }
}

/** Forgets everything: after a reconnect the host is asked again. */
export function resetSamples(): void {
  asked.clear();
  const known = [...histories.keys()];
  histories.clear();
  for (const workspace of known) for (const listener of listeners.get(workspace) ?? []) listener();
}

/** The samples of the last ten minutes, oldest first; asks the host once for those before this page was opened. */
export function useSamples(workspace: WorkspaceId, enabled = true): readonly Sample[] {
  const client = useClient();
  useEffect(() => {
    if (!enabled || asked.has(workspace)) return;
    asked.add(workspace);
    client.call("workspace.history", { workspace }).then(
      (history) => {
        const newer = histories.get(workspace) ?? NONE;
        const last = history.at(-1)?.at_ms ?? 0;
        set(workspace, [...history, ...newer.filter((sample) => sample.at_ms > last)].slice(-KEPT));
      },
      // Pushed samples will fill the line; asking again can wait for the next mount.
      () => asked.delete(workspace),
    );
  }, [client, workspace, enabled]);
  return useSyncExternalStore(
    (notify) => {
      const set = listeners.get(workspace) ?? new Set();
      listeners.set(workspace, set);
      set.add(notify);
      return () => set.delete(notify);
    },
    () => histories.get(workspace) ?? NONE,
  );
}

/** The newest sample known, without subscribing: for sorting. */
export function newestSample(workspace: WorkspaceId): Sample | undefined {
  return histories.get(workspace)?.at(-1);
}
