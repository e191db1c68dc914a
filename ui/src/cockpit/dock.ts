import { type DockviewTheme } from "dockview-react";
import "dockview-react/dist/styles/dockview.css";
import "./cockpit.css";

/** The layout library in our colours; its look is in cockpit.css. */
export const DOCK_THEME: DockviewTheme = {
  name: "aicockpit",
  className: "dockview-theme-aicockpit",
  dndPanelOverlay: "group",
  dndTabIndicator: "line",
  tabGroupIndicator: "none",
};
