import { useState } from "react";
import {
  Button,
  Checkbox,
  ErrorState,
  Loading,
  Select,
  Skeleton,
  StateLabel,
  Switch,
  toastError,
  VirtualList,
} from "@/components";
import { cx } from "@/lib/cx";
import { formatCount, formatExactTime, formatLatency, formatMoney, formatRelativeTime } from "@/lib/format";
import { useNow } from "@/lib/time";
import { type RequestEntry, type Settings } from "@/protocol/generated";
import { useChangeModels } from "../models/useModels";
import { Group, Row } from "../Page";
import { RequestDialog } from "./RequestDialog";
import { endWord, type Names, ownerName } from "./usage";
import { useNames, useOwners, useRequests } from "./useUsage";

// Radix wants every option to have a value; no owner is called so.
const EVERYBODY = "*";
const ROW_HEIGHT = 32;
const MOST_SHOWN = 14;
const COLUMNS =
  "grid grid-cols-[4.5rem_minmax(0,1fr)_6.5rem] items-center sm:grid-cols-[5.5rem_minmax(0,1fr)_7rem_4rem] gap-x-3 px-3 md:grid-cols-[5rem_minmax(0,1.1fr)_minmax(0,1fr)_6.5rem_6.5rem_4rem_4.25rem_3.5rem] xl:grid-cols-[6rem_minmax(0,1.4fr)_minmax(0,1fr)_7rem_6rem_4.5rem_4.5rem_4.5rem]";
const WIDE_ONLY = "max-md:hidden";
const NOT_ON_A_PHONE = "max-sm:hidden";

/** Single requests, newest first; each opens with what is known of it. */
export function Requests({ settings }: { settings: Settings }) {
  const { models } = settings;
  const names = useNames();
  const owners = useOwners();
  const [owner, setOwner] = useState(EVERYBODY);
  const [onlyTroubled, setOnlyTroubled] = useState(false);
  const [opened, setOpened] = useState<RequestEntry>();
  const found = useRequests({ owner: owner === EVERYBODY ? undefined : owner, onlyTroubled });
  const requests = found.data ?? [];
  const known = new Set([
    ...(owners.data ?? []).map((each) => each.owner),
    ...(owner === EVERYBODY ? [] : [owner]),
  ]);
  return (
    <>
      <section aria-label="Requests" className="flex flex-col gap-2">
        <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
          <h2 className="text-lg font-semibold">Requests</h2>
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <Checkbox checked={onlyTroubled} onChange={setOnlyTroubled} label="Only those in trouble">
              Only those in trouble
            </Checkbox>
            <Select
              label="Whose requests"
              value={owner}
              onChange={setOwner}
              options={[
                { value: EVERYBODY, label: "Everybody’s" },
                ...[...known].map((value) => ({ value, label: ownerName(value, names) })),
              ]}
            />
          </div>
        </div>
        {found.isError && (
          <ErrorState
            compact
            title="The requests could not be read"
            error={found.error}
            onRetry={() => void found.refetch()}
          />
        )}
        {found.isPending && (
          <Loading>
            <Skeleton className="h-40" />
          </Loading>
        )}
        {found.data && requests.length === 0 && (
          <p className="rounded-md border border-line px-3 py-4 text-center text-muted">
            {onlyTroubled
              ? "No request ended in trouble."
              : owner === EVERYBODY
                ? "No request came yet."
                : "None came from there."}
          </p>
        )}
        {requests.length > 0 && (
          <Table requests={requests} names={names} currency={models.currency} onOpen={setOpened} />
        )}
        {found.hasNextPage && (
          <Button
            className="self-center"
            busy={found.isFetchingNextPage}
            onClick={() => void found.fetchNextPage()}
          >
            Load more
          </Button>
        )}
      </section>
      <KeepPrompts keeps={models.keep_prompts} />
      <RequestDialog
        request={opened}
        onClose={() => setOpened(undefined)}
        names={names}
        currency={models.currency}
        keeps={models.keep_prompts}
      />
    </>
  );
}

function Table({
  requests,
  names,
  currency,
  onOpen,
}: {
  requests: readonly RequestEntry[];
  names: Names;
  currency: string;
  onOpen: (request: RequestEntry) => void;
}) {
  const now = useNow(10_000);
  return (
    <div
      role="table"
      aria-label="Requests"
      aria-rowcount={requests.length + 1}
      className="overflow-hidden rounded-md border border-line"
    >
      <div role="rowgroup">
        <div
          role="row"
          aria-rowindex={1}
          className={cx(COLUMNS, "h-7 border-b border-line text-sm font-medium text-faint")}
        >
          <span role="columnheader">Time</span>
          <span role="columnheader">Model</span>
          <span role="columnheader" className={WIDE_ONLY}>
            Owner
          </span>
          <span role="columnheader">End</span>
          <span role="columnheader" className={cx(WIDE_ONLY, "text-right")}>
            Tokens
          </span>
          <span role="columnheader" className={cx(WIDE_ONLY, "text-right")}>
            Cost
          </span>
          <span role="columnheader" className={cx(WIDE_ONLY, "text-right")}>
            First piece
          </span>
          <span role="columnheader" className={cx(NOT_ON_A_PHONE, "text-right")}>
            Total
          </span>
        </div>
      </div>
      <VirtualList
        role="rowgroup"
        items={requests}
        itemKey={({ id }) => id}
        rowHeight={ROW_HEIGHT}
        style={{ height: Math.min(requests.length, MOST_SHOWN) * ROW_HEIGHT }}
        onKeyDown={stepRows}
        renderRow={(request, index) => (
          <RequestRow
            request={request}
            index={index}
            names={names}
            currency={request.currency ?? currency}
            now={now}
            onOpen={onOpen}
          />
        )}
      />
    </div>
  );
}

/** Arrow keys go from row to row. */
function stepRows(event: React.KeyboardEvent<HTMLDivElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = document.activeElement?.closest("[role=row]");
  if (step === undefined || !row) return;
  event.preventDefault();
  const next = Number(row.getAttribute("aria-rowindex")) + step;
  event.currentTarget.querySelector<HTMLElement>(`[aria-rowindex="${next}"] button`)?.focus();
}

function RequestRow({
  request,
  index,
  names,
  currency,
  now,
  onOpen,
}: {
  request: RequestEntry;
  index: number;
  names: Names;
  currency: string;
  now: number;
  onOpen: (request: RequestEntry) => void;
}) {
  const { at_ms, model, owner, end, input_tokens, output_tokens, cost, first_ms, total_ms, status } = request;
  const { tone, word } = endWord(end);
  const told = input_tokens !== undefined || output_tokens !== undefined;
  const figure = cx(WIDE_ONLY, "text-right text-sm tabular-nums");
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={cx(COLUMNS, "relative h-full border-b border-line hover:bg-hover")}
    >
      <span role="cell">
        <button
          type="button"
          title={formatExactTime(at_ms)}
          onClick={() => onOpen(request)}
          // The whole row is the button's.
          className="text-sm whitespace-nowrap text-muted after:absolute after:inset-0"
        >
          {formatRelativeTime(at_ms, now)}
        </button>
      </span>
      <span role="cell" className="truncate font-mono text-sm" title={model}>
        {model === "" ? "–" : model}
      </span>
      <span role="cell" className={cx(WIDE_ONLY, "truncate")}>
        {ownerName(owner, names)}
      </span>
      <span role="cell" className="min-w-0 truncate">
        <StateLabel tone={tone}>
          {word}
          {end === "refused" && status !== undefined && ` ${status}`}
        </StateLabel>
      </span>
      <span role="cell" className={figure}>
        {told ? `${formatCount(input_tokens ?? 0)} → ${formatCount(output_tokens ?? 0)}` : "–"}
      </span>
      <span role="cell" className={figure}>
        {cost === 0 ? "–" : formatMoney(cost, currency)}
      </span>
      <span role="cell" className={figure}>
        {first_ms === undefined ? "–" : formatLatency(first_ms)}
      </span>
      <span role="cell" className={cx(NOT_ON_A_PHONE, "text-right text-sm tabular-nums")}>
        {formatLatency(total_ms)}
      </span>
    </div>
  );
}

function KeepPrompts({ keeps }: { keeps: boolean }) {
  const change = useChangeModels();
  return (
    <Group title="Questions and answers">
      <Row>
        <Switch
          label="Keep prompts"
          description="Questions and answers of the last requests can be looked at here. They stay in this machine’s memory, are never written to a disk, and are forgotten when this is switched off or AiCockpit ends."
          checked={keeps}
          disabled={change.isPending}
          onChange={(keep_prompts) =>
            change.mutate((now) => ({ ...now, keep_prompts }), { onError: toastError })
          }
        />
      </Row>
    </Group>
  );
}
