import { useQueryClient } from "@tanstack/react-query";
import { callKey, useClient } from "@/client";
import { toastError } from "@/components";
import { type Settings } from "@/protocol/generated";

/** Changes settings: shown at once, taken back where the host refuses. Keys this version does not know are kept. */
export function useChangeSettings(settings: Settings): (change: Partial<Settings>) => void {
  const client = useClient();
  const queries = useQueryClient();
  return (change) => {
    const key = callKey("settings.get", {});
    const next = { ...settings, ...change };
    queries.setQueryData(key, next);
    client.call("settings.put", next).catch((error: unknown) => {
      queries.setQueryData(key, settings);
      toastError(error);
    });
  };
}
