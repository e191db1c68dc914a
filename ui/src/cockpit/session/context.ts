import { createContext, useContext } from "react";
import { type CockpitSession } from "./session";

export const SessionContext = createContext<{ session: CockpitSession; active: boolean } | undefined>(
  undefined,
);

/** The session of the cockpit around this component. */
export function useSession(): CockpitSession {
  return useCockpit().session;
}

/** The session, and whether its cockpit is in view. */
export function useCockpit(): { session: CockpitSession; active: boolean } {
  const value = useContext(SessionContext);
  if (!value) throw new Error("useCockpit needs a SessionContext above it");
  return value;
}
