import { useState } from "react";
import { useCommandKeys } from "@/commands";
import { Kbd, Picker } from "@/components";
import { WorkspaceStateLabel } from "@/dashboard/WorkspaceStateLabel";
import { fuzzyFilter } from "@/lib/fuzzy";
import { formatRelativeTime } from "@/lib/format";
import { useNow } from "@/lib/time";
import { type Workspace } from "@/protocol/generated";
import { showOverlay, showWorkspace, useNavigation } from "@/state/navigation";
import { lastUsed, sourceText, useWorkspaces } from "@/state/workspaces";
import { WorkspacePreview } from "./WorkspacePreview";

/** Opens a workspace by a few letters of its name; the one before this one comes first. */
export function WorkspaceSwitcher({ open }: { open: boolean }) {
  const [query, setQuery] = useState("");
  const now = useNow(60_000);
  const { recent, view } = useNavigation();
  const workspaces = useWorkspaces().data ?? [];
  const keys = useCommandKeys("app.switcher");
  const current = view.kind === "workspace" ? view.id : undefined;
  const rank = (workspace: Workspace) => {
    if (workspace.id === current) return Number.MAX_SAFE_INTEGER;
    const index = recent.indexOf(workspace.id);
    return index < 0 ? Number.MAX_SAFE_INTEGER - lastUsed(workspace) : index;
  };
  const sorted = open ? workspaces.toSorted((a, b) => rank(a) - rank(b)) : [];
  const shown = fuzzyFilter(sorted, query, (workspace) => `${workspace.name} ${sourceText(workspace)}`);
  const close = () => {
    setQuery("");
    showOverlay(undefined);
  };
  return (
    <Picker
      open={open}
      onClose={close}
      label="Switch workspace"
      placeholder="Switch to a workspace"
      query={query}
      onQuery={setQuery}
      items={shown}
      itemKey={(workspace) => workspace.id}
      rowHeight={44}
      renderItem={(workspace) => (
        <>
          <span className="flex min-w-0 flex-1 flex-col">
            <span className="truncate">{workspace.name}</span>
            <span className="truncate text-sm text-faint">{sourceText(workspace)}</span>
          </span>
          <span className="flex shrink-0 flex-col items-end">
            <WorkspaceStateLabel workspace={workspace} />
            <span className="text-sm text-faint">{formatRelativeTime(lastUsed(workspace), now)}</span>
          </span>
        </>
      )}
      onPick={(workspace) => {
        close();
        showWorkspace(workspace.id);
      }}
      preview={(workspace) => <WorkspacePreview workspace={workspace} />}
      empty={workspaces.length === 0 ? "There is no workspace yet." : `No workspace matches “${query}”.`}
      footer={
        <span className="flex items-center gap-3">
          <span className="inline-flex items-center gap-1">
            <Kbd keys="Enter" /> open
          </span>
          {keys !== undefined && (
            <span className="inline-flex items-center gap-1">
              <Kbd keys={keys} /> opens this list
            </span>
          )}
        </span>
      }
    />
  );
}
