import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { callKey, toCallError, useCall, useClient } from "@/client";
import { toastError } from "@/components/Toast";

/**
 * A value of the UI's own that the host keeps (`state.get`, `state.put`), under a key such as
 * `workspace/<id>/layout`. Returns the default until it is known and where none is kept; `ready` tells which.
 */
export function usePersisted<T>(key: string, initial: T): [T, (value: T) => void, ready: boolean] {
  const client = useClient();
  const queryClient = useQueryClient();
  const { data, isSuccess } = useCall("state.get", { key });
  const put = useCallback(
    (value: T) => {
      queryClient.setQueryData(callKey("state.get", { key }), value);
      client.call("state.put", { key, value }).catch((error: unknown) => {
        if (toCallError(error).code !== "disconnected") toastError(error);
      });
    },
    [client, queryClient, key],
  );
  return [data === undefined || data === null ? initial : (data as T), put, isSuccess];
}
