import { type ReactNode } from "react";
import { createPortal } from "react-dom";
import { create } from "zustand";

/** The status bar's places for what is in view, filled by whoever is in view. */
export const useStatusBarPlaces = create<{ left: HTMLElement | null; right: HTMLElement | null }>(() => ({
  left: null,
  right: null,
}));

/** Puts items into the status bar. Render it only while the view it belongs to is the one in view. */
export function StatusBarItems({
  side = "left",
  children,
}: {
  side?: "left" | "right";
  children: ReactNode;
}) {
  const place = useStatusBarPlaces((places) => places[side]);
  return place && createPortal(children, place);
}
