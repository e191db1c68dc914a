import { useEffect, useEffectEvent, useRef, useState } from "react";
import { toCallError, useClient, useConnection, type CallError } from "@/client";
import { type WorkspaceState } from "@/protocol/generated";
import { readLayout } from "../model/layout";
import { CockpitSession, layoutKey } from "./session";

export interface Opened {
  session: CockpitSession | undefined;
  error: CallError | undefined;
  /** Tries to open the workspace again. */
  reopen: () => void;
}

/** Opens a workspace that runs, and keeps its session, whatever becomes of the container, until the tab is closed. */
export function useOpened(workspace: string, state: WorkspaceState | undefined): Opened {
  const client = useClient();
  const connected = useConnection().kind === "connected";
  const [session, setSession] = useState<CockpitSession>();
  const [error, setError] = useState<CallError>();
  const [attempt, setAttempt] = useState(0);
  const usable = connected && state === "running";

  const resume = (opened: CockpitSession) => {
    client.call("workspace.open", { workspace }).then(
      () => {
        setError(undefined);
        return opened.resume();
      },
      (failed: unknown) => setError(toCallError(failed)),
    );
  };

  const exists = session !== undefined;
  useEffect(() => {
    if (!usable || exists) return;
    let gone = false;
    // Both are asked for at once: what is seen first must not wait for two answers in a row.
    Promise.all([
      client.call("workspace.open", { workspace }),
      client.call("state.get", { key: layoutKey(workspace) }).catch(() => undefined),
    ]).then(
      ([inside, kept]) => {
        if (!gone) setSession(new CockpitSession(client, workspace, inside, readLayout(kept)));
      },
      (failed: unknown) => {
        if (!gone) setError(toCallError(failed));
      },
    );
    return () => {
      gone = true;
    };
  }, [client, workspace, usable, exists, attempt]);

  useEffect(() => {
    if (!session) return;
    session.start().catch((failed: unknown) => setError(toCallError(failed)));
    return () => {
      session.dispose();
      setSession((present) => (present === session ? undefined : present));
    };
  }, [session]);

  // The first time is the opening itself; every later one is a return.
  const away = useRef(false);
  const usableAgain = useEffectEvent((opened: CockpitSession) => resume(opened));
  useEffect(() => {
    if (!session) return;
    if (!usable) {
      away.current = true;
      session.disconnected();
    } else if (away.current) {
      away.current = false;
      usableAgain(session);
    }
  }, [session, usable]);

  return {
    session,
    error,
    reopen: () => {
      setError(undefined);
      if (session) resume(session);
      else setAttempt((before) => before + 1);
    },
  };
}
