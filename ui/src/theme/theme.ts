import { useEffect, useSyncExternalStore } from "react";
import { useCall } from "@/client";
import { type Theme } from "@/protocol/generated";

export type ResolvedTheme = "light" | "dark";

const REMEMBERED = "aicockpit.theme";
const system = () => window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function resolve(theme: Theme): ResolvedTheme {
  if (theme !== "system") return theme;
  return system().matches ? "dark" : "light";
}

let wanted: Theme = "system";

function apply(): void {
  const resolved = resolve(wanted);
  if (document.documentElement.dataset.theme === resolved) return;
  document.documentElement.dataset.theme = resolved;
  for (const listener of [...listeners]) listener();
}

/** Applies the theme of the last visit before the first paint; the host's settings follow. */
export function startTheme(): void {
  const remembered = localStorage.getItem(REMEMBERED);
  wanted = remembered === "light" || remembered === "dark" ? remembered : "system";
  apply();
  system().addEventListener("change", apply);
}

/** Follows the settings. Used once, by the app. */
export function useThemeSetting(): void {
  const theme = useCall("settings.get", {}).data?.theme;
  useEffect(() => {
    if (theme === undefined) return;
    wanted = theme;
    localStorage.setItem(REMEMBERED, theme);
    apply();
  }, [theme]);
}

/** The theme in use; changes with the settings and the system. */
export function useResolvedTheme(): ResolvedTheme {
  return useSyncExternalStore(
    (notify) => {
      listeners.add(notify);
      return () => listeners.delete(notify);
    },
    () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light"),
  );
}

/** A token's present value (`--code-bg`), for what cannot use CSS variables: Monaco, xterm, canvases. */
export function token(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
