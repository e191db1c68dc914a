import { lazy, Suspense, useEffect } from "react";
import { persistently } from "@/lib/persistently";
import { useConnection } from "@/client";
import { Loading, Skeleton, Toasts } from "@/components";
import { cx } from "@/lib/cx";
import { CreateDialog } from "@/create/CreateDialog";
import { ImportDialog } from "@/create/ImportDialog";
import { Dashboard } from "@/dashboard/Dashboard";
import { useWorkspaces } from "@/state/workspaces";
import { useNavigation } from "@/state/navigation";
import { useThemeSetting } from "@/theme/theme";
import { useAppCommands } from "./commands";
import { CommandPalette } from "./CommandPalette";
import { SignedOut } from "./SignedOut";
import { StatusBar } from "./StatusBar";
import { usePersistedTabs } from "./tabs";
import { TopBar } from "./TopBar";
import { WorkspaceSwitcher } from "./WorkspaceSwitcher";
import { WorkspaceView } from "./WorkspaceView";

const Settings = lazy(() =>
  persistently(() => import("@/settings/Settings")).then((module) => ({ default: module.Settings })),
);

export function App() {
  const connection = useConnection();
  if (connection.kind === "unauthorised") return <SignedOut reason={connection.reason} />;
  return <Window />;
}

function Window() {
  const { view, tabs, overlay } = useNavigation();
  useThemeSetting();
  useAppCommands();
  usePersistedTabs();
  useTitle();
  return (
    <div className="flex h-full flex-col">
      <TopBar />
      <main className="relative min-h-0 flex-1">
        {view.kind === "home" && <Dashboard />}
        {view.kind === "settings" && (
          <Suspense
            fallback={
              <Loading>
                <Skeleton className="m-6 h-40" />
              </Loading>
            }
          >
            <Settings section={view.section} part={view.part} />
          </Suspense>
        )}
        {tabs.map((id) => {
          const shown = view.kind === "workspace" && view.id === id;
          return (
            // Hidden ones keep their size and their state, so that switching is instant. Not by `visibility`:
            // children that set their own (dockview's do) would show through.
            <div
              key={id}
              inert={!shown}
              className={cx(
                "absolute inset-0",
                !shown && "pointer-events-none opacity-0 [content-visibility:hidden]",
              )}
            >
              <WorkspaceView id={id} />
            </div>
          );
        })}
      </main>
      <StatusBar />
      <CommandPalette open={overlay === "palette"} />
      <WorkspaceSwitcher open={overlay === "switcher"} />
      <CreateDialog open={overlay === "create"} />
      <ImportDialog open={overlay === "import"} />
      <Toasts />
    </div>
  );
}

function useTitle(): void {
  const view = useNavigation((state) => state.view);
  const workspaces = useWorkspaces().data;
  const name =
    view.kind === "workspace"
      ? workspaces?.find((workspace) => workspace.id === view.id)?.name
      : view.kind === "settings"
        ? "Settings"
        : "Workspaces";
  useEffect(() => {
    document.title = name === undefined ? "AiCockpit" : `${name} – AiCockpit`;
  }, [name]);
}
