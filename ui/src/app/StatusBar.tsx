import { Unplug } from "lucide-react";
import { useCall, useClient, useConnection } from "@/client";
import { StateDot } from "@/components";
import { useNow } from "@/lib/time";
import { type Workspace } from "@/protocol/generated";
import { showWorkspace, useActiveWorkspace } from "@/state/navigation";
import { STATE_WORDS, useWorkspaces } from "@/state/workspaces";
import { stepLabel } from "@/create/steps";
import { OfflineItem } from "./OfflineItem";
import { useStatusBarPlaces } from "./StatusBarItems";

const placeLeft = (left: HTMLElement | null) => useStatusBarPlaces.setState({ left });
const placeRight = (right: HTMLElement | null) => useStatusBarPlaces.setState({ right });

/** State that is always true: the connection, what is under way, and what the view in front adds. */
export function StatusBar() {
  const connection = useConnection();
  const workspaces = useWorkspaces().data ?? [];
  const active = useActiveWorkspace();
  const creating = workspaces.filter(
    (workspace) => workspace.state === "creating" && workspace.id !== active,
  );
  const machine = useCall("host.info", {}).data?.machine;
  const running = workspaces.filter((workspace) => workspace.state === "running").length;
  return (
    <footer
      aria-label="Status"
      className="flex h-6 shrink-0 items-center gap-3 overflow-hidden border-t border-line bg-frame px-2 text-sm whitespace-nowrap text-muted"
    >
      {connection.kind !== "connected" && <ConnectionItem />}
      <div ref={placeLeft} className="flex min-w-0 items-center gap-3 empty:hidden" />
      {active === undefined && connection.kind === "connected" && (
        <>
          {machine !== undefined && (
            <span className="max-w-60 shrink-0 truncate max-sm:hidden">{machine}</span>
          )}
          {workspaces.length > 0 && (
            <span className="tabular-nums">
              {running} of {workspaces.length} running
            </span>
          )}
        </>
      )}
      {creating.slice(0, 2).map((workspace) => (
        <CreatingItem key={workspace.id} workspace={workspace} />
      ))}
      <div className="flex-1" />
      <OfflineItem />
      <div ref={placeRight} className="flex shrink-0 items-center gap-3 empty:hidden" />
    </footer>
  );
}

function ConnectionItem() {
  const client = useClient();
  const connection = useConnection();
  const now = useNow(1_000);
  if (connection.kind !== "reconnecting") {
    return (
      <span role="status" className="flex items-center gap-1.5 text-starting">
        <StateDot tone="starting" moving /> Connecting to the host
      </span>
    );
  }
  const seconds = Math.max(0, Math.ceil((connection.nextAt - now) / 1000));
  return (
    <span className="flex items-center gap-1.5 text-failed">
      <Unplug size={14} aria-hidden />
      <span role="status">The host does not answer.</span>
      <button
        type="button"
        onClick={() => client.retry()}
        className="rounded-sm underline underline-offset-2 hover:text-fg"
      >
        {seconds > 0 ? `Trying again in ${seconds} s` : "Trying again"}
      </button>
    </span>
  );
}

function CreatingItem({ workspace }: { workspace: Workspace }) {
  const step = workspace.plan?.steps.find((entry) => entry.state === "running");
  return (
    <button
      type="button"
      onClick={() => showWorkspace(workspace.id)}
      className="flex min-w-0 items-center gap-1.5 rounded-sm px-1 hover:bg-hover hover:text-fg"
    >
      <StateDot tone="starting" moving size={8} />
      <span className="truncate">
        {STATE_WORDS.creating} {workspace.name}
        {step && `: ${stepLabel(step.kind, "running")}`}
      </span>
    </button>
  );
}
