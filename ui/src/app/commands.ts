import { useQueryClient } from "@tanstack/react-query";
import { callKey, useAction, useCall } from "@/client";
import { useCommands } from "@/commands";
import { toastError } from "@/components";
import { type Theme } from "@/protocol/generated";
import { useChangePart } from "@/state/settings";
import {
  closeTab,
  goHome,
  openModels,
  openSettings,
  showOverlay,
  startCreate,
  stepTab,
  useNavigation,
} from "@/state/navigation";

/** The commands of the window itself. */
export function useAppCommands(): void {
  const view = useNavigation((state) => state.view);
  const settings = useCall("settings.get", {}).data;
  const putSettings = useAction("settings.put");
  const refreshEngines = useAction("engine.refresh");
  const changeOffline = useChangePart("offline");
  const queries = useQueryClient();
  const setTheme = (theme: Theme) => {
    if (settings) putSettings.mutate({ ...settings, theme }, { onError: toastError });
  };
  useCommands([
    {
      id: "app.palette",
      group: "View",
      title: "Show all commands",
      keys: ["Mod+Shift+P", "F1"],
      run: () => showOverlay("palette"),
    },
    {
      id: "app.switcher",
      group: "View",
      title: "Switch workspace",
      keys: "Mod+Shift+Y",
      run: () => showOverlay("switcher"),
    },
    { id: "app.home", group: "View", title: "Go to workspaces", keys: "Mod+Shift+0", run: goHome },
    {
      id: "app.nextTab",
      group: "View",
      title: "Go to next open workspace",
      keys: ["Mod+Shift+PageDown"],
      run: () => stepTab(1),
    },
    {
      id: "app.previousTab",
      group: "View",
      title: "Go to previous open workspace",
      keys: ["Mod+Shift+PageUp"],
      run: () => stepTab(-1),
    },
    {
      id: "app.closeTab",
      group: "Workspace",
      title: "Close workspace tab",
      keys: "Mod+Shift+F4",
      when: () => view.kind === "workspace",
      run: () => {
        if (view.kind === "workspace") closeTab(view.id);
      },
    },
    {
      id: "workspace.new",
      group: "Workspace",
      title: "Create workspace",
      keys: ["Mod+Shift+N", "Mod+Alt+N"],
      run: () => startCreate(),
    },
    {
      id: "workspace.import",
      group: "Workspace",
      title: "Import a container as workspace",
      run: () => showOverlay("import"),
    },
    {
      id: "app.settings",
      group: "Settings",
      title: "Open settings",
      keys: "Mod+,",
      run: () => openSettings(),
    },
    {
      id: "app.settingsJson",
      group: "Settings",
      title: "Open settings as JSON",
      run: () => openSettings("json"),
    },
    {
      id: "app.keys",
      group: "Settings",
      title: "Show keyboard shortcuts",
      keys: "Mod+K Mod+S",
      run: () => openSettings("keys"),
    },
    { id: "app.engines", group: "Settings", title: "Show engines", run: () => openSettings("engines") },
    { id: "app.models", group: "Settings", title: "Show models", run: () => openSettings("models") },
    {
      id: "app.localModels",
      group: "Settings",
      title: "Show local models",
      run: () => openModels("local"),
    },
    {
      id: "app.limits",
      group: "Settings",
      title: "Show limits and prices",
      run: () => openModels("limits"),
    },
    { id: "app.usage", group: "Settings", title: "Show model usage", run: () => openSettings("usage") },
    {
      id: "app.offline",
      group: "Network",
      title: settings?.offline === true ? "Go online" : "Go offline",
      when: () => settings !== undefined,
      run: () => changeOffline.mutate((now) => !now, { onError: toastError }),
    },
    {
      id: "engine.refresh",
      group: "Engines",
      title: "Look for engines again",
      run: () =>
        refreshEngines.mutate(
          {},
          {
            onSuccess: (engines) => queries.setQueryData(callKey("engine.list", {}), engines),
            onError: toastError,
          },
        ),
    },
    { id: "theme.light", group: "Theme", title: "Use light theme", run: () => setTheme("light") },
    { id: "theme.dark", group: "Theme", title: "Use dark theme", run: () => setTheme("dark") },
    { id: "theme.system", group: "Theme", title: "Use the system's theme", run: () => setTheme("system") },
  ]);
}
