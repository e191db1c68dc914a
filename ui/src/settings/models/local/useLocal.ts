import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { callKey, callQuery, useAction, useCall, useClient } from "@/client";
import { toastError } from "@/components";
import { type LocalModelSettings, type UpdateOf, type UpdateRequest } from "@/protocol/generated";
import { useChangePart } from "@/state/settings";

const SERVERS = callKey("local_models.servers", {});
const SCAN = callKey("local_models.scan", {});
/** Memory and countdowns change without an event. */
const EVERY_MS = 5_000;

/** Changes the models of this machine. */
export function useChangeLocal() {
  return useChangePart("local_models");
}

/** The servers that are started here, as they are now: events tell of phases, and figures are asked for. */
export function useLocalServers({ servers }: LocalModelSettings) {
  const client = useClient();
  const queries = useQueryClient();
  useEffect(() => void queries.invalidateQueries({ queryKey: SERVERS }), [queries, servers]);
  return useQuery({
    ...callQuery(client, "local_models.servers", {}),
    enabled: servers.length > 0,
    refetchInterval: EVERY_MS,
  });
}

/** Model files, programs and memory: looked for each time that it is opened, and when folders change. */
export function useScan({ folders, llama_server, vllm }: LocalModelSettings) {
  const client = useClient();
  const queries = useQueryClient();
  const looked = JSON.stringify([folders, llama_server, vllm]);
  useEffect(() => void queries.invalidateQueries({ queryKey: SCAN }), [queries, looked]);
  return useQuery(callQuery(client, "local_models.scan", {}));
}

/** Starts one and ends one; the list is asked for anew, whatever came of it. */
export function useLocalActions() {
  const queries = useQueryClient();
  const start = useAction("local_models.start");
  const stop = useAction("local_models.stop");
  const options = {
    onError: toastError,
    onSettled: () => void queries.invalidateQueries({ queryKey: SERVERS }),
  };
  return {
    isPending: start.isPending || stop.isPending,
    start: (server: string) => start.mutate({ server }, options),
    stop: (server: string) => stop.mutate({ server }, options),
  };
}

const UPDATES = callKey("local_models.updates", {});

/** Updates that are under way, and the last of each kind; events tell how far they are. */
export function useUpdates() {
  return useCall("local_models.updates", {});
}

/** Begins an update and calls one off. */
export function useUpdateActions() {
  const queries = useQueryClient();
  const update = useAction("local_models.update");
  const cancel = useAction("local_models.cancel_update");
  const options = {
    onError: toastError,
    onSettled: () => void queries.invalidateQueries({ queryKey: UPDATES }),
  };
  return {
    isPending: update.isPending || cancel.isPending,
    update: (request: UpdateRequest) => update.mutate(request, options),
    cancel: (of: UpdateOf) => cancel.mutate(of, options),
  };
}

/** What one wrote; asked for while it is shown. */
export function useLocalLog(server: string) {
  return useCall("local_models.log", { server }, { refetchInterval: 1_500 });
}
