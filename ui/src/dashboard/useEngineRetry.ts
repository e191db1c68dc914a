import { useEffect } from "react";
import { useClient } from "@/client";

const EVERY_MS = 5_000;
let users = 0;
let timer: number | undefined;

/** While any component asks for it, the host looks for engines every five seconds; events tell what it finds. */
export function useEngineRetry(active: boolean): void {
  const client = useClient();
  useEffect(() => {
    if (!active) return;
    users += 1;
    timer ??= window.setInterval(() => {
      // What went wrong shows as the engine's own health.
      if (document.visibilityState === "visible") client.call("engine.refresh", {}).catch(() => undefined);
    }, EVERY_MS);
    return () => {
      users -= 1;
      if (users > 0) return;
      window.clearInterval(timer);
      timer = undefined;
    };
  }, [client, active]);
}
