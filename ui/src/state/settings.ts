import { useMutation, useQueryClient } from "@tanstack/react-query";
import { callKey, callQuery, type CallError, useCall, useClient } from "@/client";
import { type Settings } from "@/protocol/generated";

/**
 * Changes one part of the settings: shown when the host has taken it, one change after the other, each on what the
 * one before it left.
 */
export function useChangePart<K extends keyof Settings>(part: K, onSuccess?: () => void) {
  const client = useClient();
  const queries = useQueryClient();
  return useMutation<void, CallError, (now: Settings[K]) => Settings[K]>({
    scope: { id: "settings" },
    mutationFn: async (change) => {
      const settings = await queries.ensureQueryData<Settings, CallError>(
        callQuery(client, "settings.get", {}),
      );
      const next = { ...settings, [part]: change(settings[part]) };
      await client.call("settings.put", next);
      queries.setQueryData(callKey("settings.get", {}), next);
    },
    ...(onSuccess ? { onSuccess } : {}),
  });
}

/** No byte leaves this machine for models, images and clones. False until the host has said so. */
export function useOffline(): boolean {
  return useCall("settings.get", {}).data?.offline ?? false;
}
