import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { callKey, callQuery, useAction, useClient } from "@/client";
import { toastError } from "@/components";
import { type BrokerSettings } from "@/protocol/generated";
import { useChangePart } from "@/state/settings";

const EVERY_MS = 3_000;
const STATES = callKey("models.backends", {});
const FOUND = callKey("models.discover", {});

/** Changes the models' settings. */
export function useChangeModels() {
  const queries = useQueryClient();
  return useChangePart("models", () => void queries.invalidateQueries({ queryKey: FOUND }));
}

/** Every server in use as it is now: asked for while the page is to be seen, and when the settings change. */
export function useServerStates({ backends }: BrokerSettings) {
  const client = useClient();
  const queries = useQueryClient();
  useEffect(() => void queries.invalidateQueries({ queryKey: STATES }), [queries, backends]);
  return useQuery({
    ...callQuery(client, "models.backends", {}),
    enabled: backends.some(({ enabled }) => enabled),
    refetchInterval: EVERY_MS,
  });
}

/** Servers of this machine that could be added: looked for each time that the page is opened. */
export function useFoundServers() {
  const client = useClient();
  return useQuery({ ...callQuery(client, "models.discover", {}), refetchOnMount: "always" });
}

/** Asks one server now, also where it fails and would be asked later. */
export function useCheckServer() {
  const queries = useQueryClient();
  const check = useAction("models.check");
  return {
    ...check,
    mutate: (backend: string) =>
      check.mutate(
        { backend },
        { onSuccess: (states) => queries.setQueryData(STATES, states), onError: toastError },
      ),
  };
}
