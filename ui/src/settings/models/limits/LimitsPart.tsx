import { Pencil, Plus, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ErrorState, IconButton, Loading, Picker, Skeleton, toast, toastError } from "@/components";
import { cx } from "@/lib/cx";
import { fuzzyFilter } from "@/lib/fuzzy";
import { formatCount, formatMoney, formatPercent, plural } from "@/lib/format";
import {
  type Budget,
  type KeyLimits,
  type OwnerUsage,
  type Settings,
  type UsageSum,
} from "@/protocol/generated";
import { type Names, NO_USE, ownerName } from "../../usage/usage";
import { useNames, useOwners } from "../../usage/useUsage";
import { useChangeModels } from "../useModels";
import { LimitForm } from "./LimitForm";
import { limitWords, NO_LIMITS, usedPart, type Whose, withLimits, withoutOwner } from "./limits";
import { Prices } from "./Prices";

/** How much may be asked, by whom, and what it costs. */
export function LimitsPart({ settings }: { settings: Settings }) {
  const { models } = settings;
  const { limits } = models;
  const names = useNames();
  const owners = useOwners();
  const [given, setGiven] = useState<string>();
  const used = owners.data ?? [];
  const together = (span: "day" | "month") =>
    used.reduce<UsageSum>(
      (all, owner) => ({
        ...all,
        input_tokens: all.input_tokens + owner[span].input_tokens,
        output_tokens: all.output_tokens + owner[span].output_tokens,
        cost: all.cost + owner[span].cost,
      }),
      NO_USE,
    );
  const rows = ownersShown(used, limits.of, given);
  return (
    <>
      <section className="flex flex-col gap-3" aria-label="Limits">
        <p className="text-muted">
          A request beyond a limit is refused with the status 429, saying which limit it was and when to come
          again. Where a server is busy, requests wait for their turn.
        </p>
        <h2 className="text-lg font-semibold">Limits</h2>
        <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
          <LimitRow
            title="Each workspace"
            help="Every one that has no limits of its own, and each other key."
            whose={{ kind: "each" }}
            limits={limits.each}
            settings={settings}
          />
          <LimitRow
            title="All together"
            help="The sum of everybody."
            whose={{ kind: "all" }}
            limits={limits.all}
            settings={settings}
            used={owners.data && { day: together("day"), month: together("month") }}
          />
        </ul>
      </section>

      <section className="flex flex-col gap-3" aria-label="Workspaces and keys">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h2 className="text-lg font-semibold">Workspaces and keys</h2>
          <OwnLimits names={names} used={used} taken={Object.keys(limits.of)} onPick={setGiven} />
        </div>
        {owners.isError && (
          <ErrorState
            compact
            title="What has been used could not be read"
            error={owners.error}
            onRetry={() => void owners.refetch()}
          />
        )}
        {owners.isPending && (
          <Loading>
            <Skeleton className="h-16" />
          </Loading>
        )}
        {rows.length > 0 ? (
          <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
            {rows.map((owner) => {
              const usage = used.find((each) => each.owner === owner);
              return (
                <LimitRow
                  key={owner}
                  title={ownerName(owner, names)}
                  whose={{ kind: "owner", owner }}
                  limits={limits.of[owner]}
                  inherited={limits.each}
                  settings={settings}
                  used={usage}
                  open={usage?.open}
                  editing={given === owner}
                  onClose={() => setGiven(undefined)}
                />
              );
            })}
          </ul>
        ) : (
          owners.data && (
            <p className="text-muted">
              Nobody has asked a model yet. Who does is listed here with what they used.
            </p>
          )
        )}
      </section>

      <Prices settings={settings} />
    </>
  );
}

/** Those with limits of their own, then those who used most this month. */
function ownersShown(
  used: readonly OwnerUsage[],
  of: Record<string, KeyLimits>,
  given: string | undefined,
): string[] {
  const spent = (owner: string) => {
    const month = used.find((each) => each.owner === owner)?.month ?? NO_USE;
    return month.input_tokens + month.output_tokens;
  };
  const all = new Set([...Object.keys(of), ...used.map(({ owner }) => owner)]);
  if (given !== undefined) all.add(given);
  return [...all].toSorted(
    (a, b) => Number(b in of) - Number(a in of) || spent(b) - spent(a) || a.localeCompare(b),
  );
}

/** One set of limits: in words, beside what is used of it, and as a form. */
function LimitRow({
  title,
  help,
  whose,
  limits,
  inherited,
  settings: { models },
  used,
  open,
  editing: begun = false,
  onClose,
}: {
  title: string;
  help?: string;
  whose: Whose;
  /** Absent where it has none of its own. */
  limits: KeyLimits | undefined;
  /** What counts where it has none of its own. */
  inherited?: KeyLimits;
  settings: Settings;
  used?: { day: UsageSum; month: UsageSum } | undefined;
  open?: number | undefined;
  editing?: boolean;
  onClose?: () => void;
}) {
  const [asked, setAsked] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const editing = asked || begun;
  const effective = limits ?? inherited ?? NO_LIMITS;
  const words = limitWords(effective, models.currency);
  const close = () => {
    setAsked(false);
    onClose?.();
    edit.current?.focus();
  };
  return (
    <li aria-label={title} className="flex flex-col gap-1.5 px-3 py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 flex-1 font-medium break-all">{title}</h3>
        {open !== undefined && open > 0 && (
          <span className="text-sm text-faint tabular-nums">{plural(open, "request")} under way</span>
        )}
        <span className="flex gap-0.5">
          <IconButton
            ref={edit}
            label={`Edit limits: ${title}`}
            size="small"
            icon={<Pencil size={14} />}
            aria-expanded={editing}
            onClick={() => (editing ? close() : setAsked(true))}
          />
          {whose.kind === "owner" && limits !== undefined && (
            <TakeAway owner={whose.owner} title={title} limits={limits} edit={edit} />
          )}
        </span>
      </div>
      <p className="-mt-1.5 text-muted">
        {words.length === 0 ? "No limit" : words.join(" · ")}
        {limits === undefined && inherited !== undefined && <span className="text-faint"> (as each)</span>}
      </p>
      {help !== undefined && !editing && <p className="text-sm text-faint">{help}</p>}
      {editing ? (
        <LimitForm title={title} whose={whose} limits={effective} models={models} onClose={close} />
      ) : (
        used && (
          <div className="grid grid-cols-1 gap-x-6 gap-y-1 sm:grid-cols-2">
            <Used word="Today" used={used.day} budget={effective.day} currency={models.currency} />
            <Used word="This month" used={used.month} budget={effective.month} currency={models.currency} />
          </div>
        )
      )}
    </li>
  );
}

/** What is used, and how much of the budget that is. */
function Used({
  word,
  used,
  budget,
  currency,
}: {
  word: string;
  used: UsageSum;
  budget: Budget;
  currency: string;
}) {
  const part = usedPart(used, budget);
  const tokens = formatCount(used.input_tokens + used.output_tokens);
  const cost = formatMoney(used.cost, currency);
  const told = [
    budget.tokens === undefined ? `${tokens} tokens` : `${tokens} of ${formatCount(budget.tokens)} tokens`,
    ...(budget.cost !== undefined
      ? [`${cost} of ${formatMoney(budget.cost, currency)}`]
      : used.cost > 0
        ? [cost]
        : []),
  ].join(", ");
  const percent = part === undefined ? undefined : Math.floor(part * 100);
  return (
    <div className="flex flex-col gap-1">
      <p className="flex justify-between gap-x-3 text-sm text-muted tabular-nums">
        <span className="min-w-0">
          <span className="text-faint">{word}</span> {told}
        </span>
        {percent !== undefined && (
          <span className="shrink-0">{percent === 100 ? "Used up" : formatPercent(percent)}</span>
        )}
      </p>
      {part !== undefined && (
        <div
          role="meter"
          aria-label={`${word}: part of the budget that is used`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
          className="h-1 overflow-hidden rounded-full bg-hover"
        >
          <div
            className={cx(
              "h-full rounded-full",
              part >= 1 ? "bg-failed" : part >= 0.8 ? "bg-starting" : "bg-accent",
            )}
            style={{ width: `${part * 100}%` }}
          />
        </div>
      )}
    </div>
  );
}

/** Back to the limits of each. */
function TakeAway({
  owner,
  title,
  limits,
  edit,
}: {
  owner: string;
  title: string;
  limits: KeyLimits;
  edit: React.RefObject<HTMLButtonElement | null>;
}) {
  const change = useChangeModels();
  const remove = () =>
    void change
      .mutateAsync((now) => withoutOwner(now, owner))
      .then(() => {
        edit.current?.focus();
        toast({
          message: `${title} has the limits of each again.`,
          action: {
            label: "Undo",
            run: () =>
              void change
                .mutateAsync((now) => withLimits(now, { kind: "owner", owner }, limits))
                .catch(toastError),
          },
        });
      }, toastError);
  return (
    <IconButton
      label={`Take away its own limits: ${title}`}
      size="small"
      icon={<Trash2 size={14} />}
      onClick={remove}
    />
  );
}

/** Chooses who gets limits of their own. */
function OwnLimits({
  names,
  used,
  taken,
  onPick,
}: {
  names: Names;
  used: readonly OwnerUsage[];
  taken: readonly string[];
  onPick: (owner: string) => void;
}) {
  const [open, setOpen] = useState(false);
  const [query, setQuery] = useState("");
  const owners = [...new Set([...names.workspaces.map(({ id }) => id), ...used.map(({ owner }) => owner)])]
    .filter((owner) => !taken.includes(owner))
    .map((owner) => ({ owner, name: ownerName(owner, names) }));
  const close = () => {
    setOpen(false);
    setQuery("");
  };
  return (
    <>
      <Button icon={<Plus size={14} aria-hidden />} onClick={() => setOpen(true)}>
        Give limits of its own
      </Button>
      <Picker
        open={open}
        onClose={close}
        label="Who gets limits of its own"
        placeholder="Choose a workspace or key"
        query={query}
        onQuery={setQuery}
        items={fuzzyFilter(owners, query, ({ name }) => name)}
        itemKey={({ owner }) => owner}
        renderItem={({ name }) => <span className="min-w-0 flex-1 truncate">{name}</span>}
        onPick={({ owner }) => {
          close();
          onPick(owner);
        }}
        empty={query === "" ? "There is no workspace without limits of its own." : "None matches."}
      />
    </>
  );
}
