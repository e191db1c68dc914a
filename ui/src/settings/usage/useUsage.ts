import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useRef } from "react";
import { callQuery, type CallError, useCall, useClient, useHostEvent } from "@/client";
import { useNow } from "@/lib/time";
import { type RequestEntry, type UsageBy } from "@/protocol/generated";
import { useWorkspaces } from "@/state/workspaces";
import { byMonth, type Names, type Period, queryOf } from "./usage";

/** Sums over the whole ledger are asked for no more often than this. */
const SUMS_EVERY_MS = 3_000;
const PAGE = 100;

/** Runs `refresh` when requests ended: at once, then no more often than every `everyMs`. */
export function useWhenUsed(refresh: () => void, everyMs: number): void {
  const latest = useRef(refresh);
  useLayoutEffect(() => {
    latest.current = refresh;
  });
  const timer = useRef<number | undefined>(undefined);
  const last = useRef(0);
  useHostEvent((event) => {
    if (event.kind !== "usage" || timer.current !== undefined) return;
    const wait = Math.max(0, last.current + everyMs - Date.now());
    timer.current = window.setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      latest.current();
    }, wait);
  });
  useEffect(() => () => window.clearTimeout(timer.current), []);
}

/** Sums of a period that ends now; months where the period is a year. */
export function useUsageReport(period: Period, by: UsageBy) {
  const client = useClient();
  const queries = useQueryClient();
  const query = queryOf(period, by, useNow(60_000));
  useWhenUsed(() => void queries.invalidateQueries({ queryKey: ["models.usage"] }), SUMS_EVERY_MS);
  return useQuery({
    ...callQuery(client, "models.usage", query),
    refetchOnMount: "always",
    placeholderData: keepPreviousData,
    select: period === "year" ? byMonth : undefined,
  });
}

export interface RequestFilter {
  owner: string | undefined;
  onlyTroubled: boolean;
}

/** Single requests, newest first, a page after the other. New ones come by themselves while one page is shown. */
export function useRequests({ owner, onlyTroubled }: RequestFilter) {
  const client = useClient();
  const queries = useQueryClient();
  const queryKey = ["models.requests", "pages", owner ?? null, onlyTroubled];
  const found = useInfiniteQuery<RequestEntry[], CallError, RequestEntry[], unknown[], number | undefined>({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      client.call(
        "models.requests",
        { before: pageParam, owner, only_troubled: onlyTroubled, limit: PAGE },
        { signal },
      ),
    initialPageParam: undefined,
    getNextPageParam: (page) => (page.length < PAGE ? undefined : page.at(-1)?.id),
    select: ({ pages }) => pages.flat(),
    refetchOnMount: "always",
    placeholderData: keepPreviousData,
  });
  const isLong = (found.data?.length ?? 0) > PAGE;
  useWhenUsed(() => {
    if (!isLong) void queries.invalidateQueries({ queryKey });
  }, 1_000);
  return found;
}

/** What each owner has used, beside its limits. */
export function useOwners() {
  const client = useClient();
  const queries = useQueryClient();
  useWhenUsed(() => void queries.invalidateQueries({ queryKey: ["models.owners"] }), SUMS_EVERY_MS);
  return useQuery({ ...callQuery(client, "models.owners", {}), refetchOnMount: "always" });
}

/** Names of owners and servers, as far as they are known. */
export function useNames(): Names {
  const settings = useCall("settings.get", {}).data;
  return {
    workspaces: useWorkspaces().data ?? [],
    backends: settings?.models.backends ?? [],
    local: settings?.local_models.servers ?? [],
  };
}
