import { CircleAlert, LoaderCircle, Play, Unplug } from "lucide-react";
import { type ReactNode, useState } from "react";
import { fromApiError, sentence, useAction, useConnection } from "@/client";
import { Button, StateLabel, toastError } from "@/components";
import { LetGoDialog } from "@/dashboard/LetGoDialog";
import { cx } from "@/lib/cx";
import { useDelayed } from "@/lib/time";
import { type Workspace } from "@/protocol/generated";
import { useLink } from "@/state/links";
import { openSettings } from "@/state/navigation";
import { isTransient, STATE_TONES, STATE_WORDS, useEngine, useKeepsRoot } from "@/state/workspaces";
import { WaysOut } from "./UnderWay";

/** One line above the editor while something is between this page and the workspace. Everything beneath stays usable. */
export function LinkBar({ workspace, onReopen }: { workspace: Workspace; onReopen: () => void }) {
  const connection = useConnection();
  const link = useLink(workspace.id);
  const start = useAction("workspace.start");
  const unpause = useAction("workspace.unpause");
  const broken = link.kind === "reconnecting" || connection.kind === "reconnecting";
  const lasting = useDelayed(broken, 400);
  const target = { workspace: workspace.id };
  const keepsRoot = useKeepsRoot(workspace);
  const engine = useEngine(workspace.engine);

  if (connection.kind === "reconnecting") {
    if (!lasting) return null;
    return (
      <Bar tone="warning" icon={<Unplug size={16} aria-hidden />}>
        The host does not answer. What you type is kept in this page and saved once it is back.
      </Bar>
    );
  }
  switch (workspace.state) {
    case "stopped":
    case "paused":
      return (
        <Bar
          tone="info"
          icon={<StateLabel tone={STATE_TONES[workspace.state]}>{STATE_WORDS[workspace.state]}</StateLabel>}
          action={
            <Button
              size="small"
              kind="primary"
              icon={<Play size={12} aria-hidden />}
              busy={start.isPending || unpause.isPending}
              onClick={() =>
                (workspace.state === "paused" ? unpause : start).mutate(target, { onError: toastError })
              }
            >
              {workspace.state === "paused" ? "Resume" : "Start"}
            </Button>
          }
        >
          {workspace.state === "paused"
            ? "The workspace is paused. Your unsaved text is kept."
            : `The workspace does not run. ${workspace.message === undefined ? "" : `${sentence(workspace.message)} `}${keepsRoot ? "Its files" : "What lies in its volume"} and your unsaved text are kept; its terminals have ended.`}
        </Bar>
      );
    case "starting":
    case "stopping":
    case "deleting":
    case "creating":
      return (
        <Bar
          tone="info"
          icon={
            <StateLabel tone={STATE_TONES[workspace.state]} moving={isTransient(workspace.state)}>
              {STATE_WORDS[workspace.state]}
            </StateLabel>
          }
          action={
            workspace.state === "starting" &&
            workspace.message !== undefined && <WaysOut small workspace={workspace} />
          }
        >
          {workspace.message !== undefined && `${sentence(workspace.message)} `}Your unsaved text is kept.
        </Bar>
      );
    case "stranded":
      return <StrandedBar workspace={workspace} />;
    case "lost":
    case "failed":
    case "unreachable":
      if (engine?.health === "off") {
        return (
          <Bar
            tone="info"
            icon={<Unplug size={16} aria-hidden />}
            action={
              <Button size="small" onClick={() => openSettings("engines")}>
                Show clusters
              </Button>
            }
          >
            The cluster {engine.name} is switched off. Whatever runs in it runs on; your unsaved text is kept.
          </Bar>
        );
      }
      return (
        <Bar tone="failed" icon={<CircleAlert size={16} aria-hidden />}>
          {STATE_WORDS[workspace.state]}.{" "}
          {sentence(workspace.message ?? "It goes on by itself once its engine answers.")} Your unsaved text
          is kept.
        </Bar>
      );
    case "running":
      break;
  }
  if (link.kind === "reconnecting" && lasting) {
    return (
      <Bar tone="warning" icon={<LoaderCircle size={16} className="animate-turn" aria-hidden />}>
        Connecting to the workspace again{link.attempt > 1 ? ` (try ${link.attempt})` : ""}. What you type is
        kept; terminals go on where they were.
      </Bar>
    );
  }
  if (link.kind === "failed") {
    const { message, hint } = fromApiError(link.error);
    return (
      <Bar
        tone="failed"
        icon={<CircleAlert size={16} aria-hidden />}
        action={
          <Button size="small" onClick={onReopen}>
            Try again
          </Button>
        }
      >
        The workspace cannot be reached: {message} {hint}
      </Bar>
    );
  }
  return null;
}

/** Its machine does not answer: the person may wait, or let it go. */
function StrandedBar({ workspace }: { workspace: Workspace }) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Bar
        tone="failed"
        icon={<CircleAlert size={16} aria-hidden />}
        action={
          <Button size="small" onClick={() => setAsking(true)}>
            Let go…
          </Button>
        }
      >
        {sentence(workspace.message ?? "Its machine does not answer.")} It goes on by itself once the machine
        is back. Your unsaved text is kept.
      </Bar>
      <LetGoDialog workspace={asking ? workspace : undefined} onClose={() => setAsking(false)} />
    </>
  );
}

function Bar({
  tone,
  icon,
  action,
  children,
}: {
  tone: "info" | "warning" | "failed";
  icon: ReactNode;
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div
      role="status"
      className={cx(
        "flex min-h-8 shrink-0 items-center gap-2 border-b border-line px-3 py-1 text-base text-fg",
        tone === "info" && "bg-surface",
        tone === "warning" && "bg-starting-soft",
        tone === "failed" && "bg-failed-soft",
      )}
    >
      <span
        className={cx(
          "flex shrink-0 items-center",
          tone === "warning" && "text-starting",
          tone === "failed" && "text-failed",
        )}
      >
        {icon}
      </span>
      <span className="min-w-0 flex-1 break-words select-text">{children}</span>
      {action}
    </div>
  );
}
