import { useQueryClient } from "@tanstack/react-query";
import {
  History,
  Pause,
  PenLine,
  Play,
  Power,
  RotateCcw,
  RotateCw,
  ScrollText,
  SquareArrowOutUpRight,
  Trash2,
  Unlink,
  X,
} from "lucide-react";
import { useMemo } from "react";
import { callKey, useClient } from "@/client";
import { toastError, type MenuEntry } from "@/components";
import { type Workspace, type WorkspaceAction, type WorkspaceState } from "@/protocol/generated";
import { showWorkspace } from "@/state/navigation";
import { allows, useEngines } from "@/state/workspaces";

type Simple = Exclude<WorkspaceAction, "open" | "delete" | "let_go">;

const OPERATIONS = {
  start: "workspace.start",
  stop: "workspace.stop",
  restart: "workspace.restart",
  pause: "workspace.pause",
  unpause: "workspace.unpause",
  retry: "workspace.retry",
  recreate: "workspace.recreate",
  cancel: "workspace.cancel",
} as const satisfies Record<Simple, string>;

// Shown at once; the host's events correct it.
const EXPECTED: Partial<Record<Simple, WorkspaceState>> = {
  start: "starting",
  stop: "stopping",
  restart: "stopping",
};

export interface Actions {
  open(workspace: Workspace): void;
  run(action: Simple, workspaces: readonly Workspace[]): void;
  rename(workspace: Workspace, name: string): void;
}

/** What can be done to workspaces, with the result shown before the host has answered where that is safe. */
export function useWorkspaceActions(): Actions {
  const client = useClient();
  const queries = useQueryClient();
  return useMemo(() => {
    const key = callKey("workspace.list", {});
    const change = (id: string, patch: Partial<Workspace>) =>
      queries.setQueryData<Workspace[]>(key, (old) =>
        old?.map((workspace) => (workspace.id === id ? { ...workspace, ...patch } : workspace)),
      );
    // What the host has told meanwhile is newer than what was before.
    const takeBack = ({ id, state }: Workspace, expected: WorkspaceState) =>
      queries.setQueryData<Workspace[]>(key, (old) =>
        old?.map((workspace) =>
          workspace.id === id && workspace.state === expected ? { ...workspace, state } : workspace,
        ),
      );
    return {
      open: (workspace) => showWorkspace(workspace.id),
      run: (action, workspaces) => {
        for (const workspace of workspaces.filter((entry) => allows(entry.state, action))) {
          const expected = EXPECTED[action];
          if (expected) change(workspace.id, { state: expected });
          client.call(OPERATIONS[action], { workspace: workspace.id }).catch((error: unknown) => {
            if (expected) takeBack(workspace, expected);
            toastError(error);
          });
        }
      },
      rename: (workspace, name) => {
        if (name === workspace.name || name === "") return;
        change(workspace.id, { name });
        client.call("workspace.rename", { workspace: workspace.id, name }).catch((error: unknown) => {
          change(workspace.id, { name: workspace.name });
          toastError(error);
        });
      },
    };
  }, [client, queries]);
}

export interface MenuHandlers {
  actions: Actions;
  onRename: (workspace: Workspace) => void;
  onDelete: (workspaces: readonly Workspace[]) => void;
  onLetGo: (workspace: Workspace) => void;
  onInspect: (workspace: Workspace, tab: "logs" | "timeline") => void;
}

/** The menu of one workspace: what applies to its state, nothing else. */
export function useWorkspaceMenu({ actions, onRename, onDelete, onLetGo, onInspect }: MenuHandlers) {
  const engines = useEngines().data;
  return (workspace: Workspace): MenuEntry[] => {
    const engine = engines?.find((entry) => entry.id === workspace.engine);
    const can = (action: WorkspaceAction) => allows(workspace.state, action);
    const item = (action: Simple, label: string, icon: React.ReactNode): MenuEntry =>
      can(action) && { label, icon, onSelect: () => actions.run(action, [workspace]) };
    return [
      (can("open") || workspace.state === "failed") && {
        label: workspace.state === "failed" || workspace.state === "creating" ? "Show progress" : "Open",
        icon: <SquareArrowOutUpRight size={14} />,
        keys: "Enter",
        onSelect: () => actions.open(workspace),
      },
      "separator",
      item("start", "Start", <Play size={14} />),
      item("stop", "Stop", <Power size={14} />),
      item("restart", "Restart", <RotateCw size={14} />),
      engine?.capabilities.pause === true && item("pause", "Pause", <Pause size={14} />),
      item("unpause", "Resume", <Play size={14} />),
      item("retry", "Try again", <RotateCcw size={14} />),
      !workspace.imported && item("recreate", "Recreate container", <RotateCcw size={14} />),
      can("let_go") && {
        label: "Let go…",
        icon: <Unlink size={14} />,
        danger: true,
        onSelect: () => onLetGo(workspace),
      },
      item("cancel", "Cancel creation", <X size={14} />),
      "separator",
      { label: "Rename", icon: <PenLine size={14} />, keys: "F2", onSelect: () => onRename(workspace) },
      {
        label: "Container output",
        icon: <ScrollText size={14} />,
        onSelect: () => onInspect(workspace, "logs"),
      },
      { label: "Timeline", icon: <History size={14} />, onSelect: () => onInspect(workspace, "timeline") },
      "separator",
      can("delete") && {
        label: "Delete",
        icon: <Trash2 size={14} />,
        keys: "Delete",
        danger: true,
        onSelect: () => onDelete([workspace]),
      },
    ];
  };
}
