import { Play, Power, RotateCw, Trash2, X } from "lucide-react";
import { Button, IconButton } from "@/components";
import { type Workspace } from "@/protocol/generated";
import { allows } from "@/state/workspaces";
import { type Actions } from "./actions";

/** Takes the toolbar's place while workspaces are selected. */
export function SelectionBar({
  selected,
  actions,
  onDelete,
  onClear,
}: {
  selected: readonly Workspace[];
  actions: Actions;
  onDelete: (workspaces: readonly Workspace[]) => void;
  onClear: () => void;
}) {
  const any = (action: "start" | "stop" | "restart" | "delete") =>
    selected.some((workspace) => allows(workspace.state, action));
  return (
    <div
      role="toolbar"
      aria-label="Selected workspaces"
      className="flex shrink-0 flex-wrap items-center gap-2 px-4 py-3"
    >
      <h1 aria-live="polite" className="mr-auto text-lg font-semibold tabular-nums">
        {selected.length}{" "}
        <span className="max-sm:sr-only">{selected.length === 1 ? "workspace" : "workspaces"}</span> selected
      </h1>
      <Button
        icon={<Play size={14} aria-hidden />}
        disabled={!any("start")}
        onClick={() => actions.run("start", selected)}
      >
        <span className="max-sm:sr-only">Start</span>
      </Button>
      <Button
        icon={<Power size={14} aria-hidden />}
        disabled={!any("stop")}
        onClick={() => actions.run("stop", selected)}
      >
        <span className="max-sm:sr-only">Stop</span>
      </Button>
      <Button
        icon={<RotateCw size={14} aria-hidden />}
        disabled={!any("restart")}
        onClick={() => actions.run("restart", selected)}
      >
        <span className="max-sm:sr-only">Restart</span>
      </Button>
      <Button
        icon={<Trash2 size={14} aria-hidden />}
        disabled={!any("delete")}
        onClick={() => onDelete(selected.filter((workspace) => allows(workspace.state, "delete")))}
      >
        <span className="max-sm:sr-only">Delete</span>
      </Button>
      <IconButton label="Clear selection" keys="Escape" icon={<X size={16} />} onClick={onClear} />
    </div>
  );
}
