import {
  queryOptions,
  useMutation,
  useQuery,
  type UseMutationResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { createContext, useContext, useEffect, useEffectEvent, useSyncExternalStore } from "react";
import { type Event, type HostCapability } from "@/protocol/generated";
import { type Client, type OperationName, type Params, type Reply } from "./client";
import { type CallError } from "./errors";
import { type ConnectionState } from "./transport";

export const ClientContext = createContext<Client | undefined>(undefined);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a ClientContext above it");
  return client;
}

/** The cache key of a call: its name, then its parameters. Events invalidate by name (see app/events.ts). */
export function callKey<O extends OperationName>(op: O, params?: Params<O>): readonly unknown[] {
  return params === undefined ? [op] : [op, params];
}

/** Query options of a call, for `useQuery`, `useQueries` and `queryClient.fetchQuery`. */
export function callQuery<O extends OperationName>(client: Client, op: O, params: Params<O>) {
  return queryOptions<Reply<O>, CallError>({
    queryKey: callKey(op, params),
    queryFn: ({ signal }) => client.call(op, params, { signal }),
  });
}

/** What the host says to a call, kept and refreshed when events say it changed. */
export function useCall<O extends OperationName>(
  op: O,
  params: Params<O>,
  options: { enabled?: boolean; refetchInterval?: number } = {},
): UseQueryResult<Reply<O>, CallError> {
  const client = useClient();
  return useQuery({ ...callQuery(client, op, params), ...options });
}

/** A call that changes something. */
export function useAction<O extends OperationName>(op: O): UseMutationResult<Reply<O>, CallError, Params<O>> {
  const client = useClient();
  return useMutation<Reply<O>, CallError, Params<O>>({ mutationFn: (params) => client.call(op, params) });
}

/** Calls `listener` for every pushed event while the component is mounted. */
export function useHostEvent(listener: (event: Event) => void): void {
  const client = useClient();
  const onEvent = useEffectEvent(listener);
  useEffect(() => client.onEvent((event) => onEvent(event)), [client]);
}

export function useConnection(): ConnectionState {
  const client = useClient();
  return useSyncExternalStore(
    (notify) => client.onState(notify),
    () => client.state,
  );
}

/** Whether the host has an ability; false until it has said so. */
export function useCapability(capability: HostCapability): boolean {
  return useCall("host.info", {}).data?.capabilities.includes(capability) ?? false;
}
