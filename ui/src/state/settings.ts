import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { callKey, callQuery, type CallError, type Client, useCall, useClient } from "@/client";
import { type Settings } from "@/protocol/generated";

async function put(client: Client, queries: QueryClient, change: (now: Settings) => Settings): Promise<void> {
  const now = await queries.ensureQueryData<Settings, CallError>(callQuery(client, "settings.get", {}));
  const next = change(now);
  await client.call("settings.put", next);
  queries.setQueryData(callKey("settings.get", {}), next);
}

/**
 * Changes the settings: shown when the host has taken them, one change after the other, each on what the one before
 * it left.
 */
export function useChangeAll(onSuccess?: () => void) {
  const client = useClient();
  const queries = useQueryClient();
  return useMutation<void, CallError, (now: Settings) => Settings>({
    scope: { id: "settings" },
    mutationFn: (change) => put(client, queries, change),
    ...(onSuccess ? { onSuccess } : {}),
  });
}

/** Changes one part of the settings, as {@link useChangeAll} does. */
export function useChangePart<K extends keyof Settings>(part: K, onSuccess?: () => void) {
  const client = useClient();
  const queries = useQueryClient();
  return useMutation<void, CallError, (now: Settings[K]) => Settings[K]>({
    scope: { id: "settings" },
    mutationFn: (change) => put(client, queries, (now) => ({ ...now, [part]: change(now[part]) })),
    ...(onSuccess ? { onSuccess } : {}),
  });
}

/** No byte leaves this machine for models, images and clones. False until the host has said so. */
export function useOffline(): boolean {
  return useCall("settings.get", {}).data?.offline ?? false;
}
