import { Globe, WifiOff } from "lucide-react";
import { Button, Popover, toastError } from "@/components";
import { plural } from "@/lib/format";
import { showWorkspace } from "@/state/navigation";
import { withNetwork } from "@/state/offline";
import { useChangePart, useOffline } from "@/state/settings";
import { useWorkspaces } from "@/state/workspaces";

/** Workspaces named in the popover; further ones are counted. */
const NAMED = 5;

/** Says that AiCockpit is offline, and what that means; nothing while it is not. */
export function OfflineItem() {
  const offline = useOffline();
  const open = withNetwork(useWorkspaces().data ?? []);
  const change = useChangePart("offline");
  if (!offline) return null;
  return (
    <Popover
      label="Offline"
      side="top"
      align="end"
      className="w-80"
      trigger={
        <button
          type="button"
          title="Models, images and clones send nothing off this machine"
          className="flex shrink-0 items-center gap-1.5 rounded-sm px-1 font-medium text-fg hover:bg-hover"
        >
          <WifiOff size={14} className="text-starting" aria-hidden />
          Offline
        </button>
      }
    >
      <div className="flex flex-col gap-2">
        <p className="font-semibold">Offline</p>
        <p className="text-muted">
          Models, images and clones send nothing off this machine. Servers elsewhere are not asked.
        </p>
        <div className="flex flex-col gap-1 border-t border-line pt-2">
          <p className="flex items-start gap-1.5">
            <Globe size={14} className="mt-0.5 shrink-0 text-faint" aria-hidden />
            {open.length === 0
              ? "No running workspace has network access."
              : `${plural(open.length, "running workspace")} ${open.length === 1 ? "has" : "have"} network access.`}
          </p>
          {open.length > 0 && (
            <ul className="flex flex-col">
              {open.slice(0, NAMED).map(({ id, name }) => (
                <li key={id}>
                  <button
                    type="button"
                    onClick={() => showWorkspace(id)}
                    className="max-w-full truncate rounded-sm px-1 text-accent-text hover:bg-hover"
                  >
                    {name}
                  </button>
                </li>
              ))}
              {open.length > NAMED && <li className="px-1 text-faint">and {open.length - NAMED} more</li>}
            </ul>
          )}
          <p className="text-sm text-faint">
            Workspaces keep their own setting: what runs in them may use the network unless they are locked.
          </p>
        </div>
        <span className="self-end">
          <Button
            size="small"
            busy={change.isPending}
            onClick={() => change.mutate(() => false, { onError: toastError })}
          >
            Go online
          </Button>
        </span>
      </div>
    </Popover>
  );
}
