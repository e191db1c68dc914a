import { useState } from "react";
import { contextOf, type KeyContext } from "@/commands";
import { focusBefore } from "@/lib/focus";

const NOWHERE: KeyContext = { terminal: false, editor: false, typing: false };

/** Where the focus was when something opened above the window: commands apply to that place. */
export function useContextBefore(open: boolean): KeyContext {
  const [context, setContext] = useState(NOWHERE);
  const [wasOpen, setWasOpen] = useState(false);
  if (open !== wasOpen) {
    setWasOpen(open);
    if (open) setContext(contextOf(focusBefore() ?? null));
  }
  return context;
}
