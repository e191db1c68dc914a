import { useEffect } from "react";
import { useNavigation } from "@/state/navigation";
import { usePersisted } from "@/state/persisted";
import { useWorkspaces } from "@/state/workspaces";
import { type WorkspaceId } from "@/protocol/generated";

const NONE: WorkspaceId[] = [];
let restored = false;

/** Opens the tabs of the last visit again, and remembers changes to them. */
export function usePersistedTabs(): void {
  const [kept, keep, ready] = usePersisted<WorkspaceId[]>("app/tabs", NONE);
  const workspaces = useWorkspaces().data;
  const tabs = useNavigation((state) => state.tabs);
  useEffect(() => {
    if (!ready || workspaces === undefined) return;
    if (!restored) {
      restored = true;
      const exists = (id: WorkspaceId) => workspaces.some((workspace) => workspace.id === id);
      useNavigation.setState((state) => {
        const known = [
          ...kept.filter((id) => exists(id) && !state.tabs.includes(id)),
          ...state.tabs.filter(exists),
        ];
        const gone = state.view.kind === "workspace" && !exists(state.view.id);
        return { tabs: known, ...(gone ? { view: { kind: "home" } } : {}) };
      });
      return;
    }
    if (tabs.length !== kept.length || tabs.some((id, i) => id !== kept[i])) keep([...tabs]);
  }, [ready, workspaces, kept, keep, tabs]);
}
