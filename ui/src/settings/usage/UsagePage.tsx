import { ChartColumn, CircleAlert } from "lucide-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { sentence } from "@/client";
import { Button, EmptyState, ErrorState, Loading, Select, Skeleton } from "@/components";
import { cx } from "@/lib/cx";
import { formatCount, formatLatency, formatMoney, formatSpeed, listWords, plural } from "@/lib/format";
import { persistently } from "@/lib/persistently";
import { type Settings, type UsageBy, type UsageReport, type UsageSum } from "@/protocol/generated";
import { openModels } from "@/state/navigation";
import { Page } from "../Page";
import { ChartTable } from "./ChartTable";
import { Requests } from "./Requests";
import { BY, groupName, type Measure, MEASURES, type Period, PERIODS, stacksOf } from "./usage";
import { UsageGroups } from "./UsageGroups";
import { useNames, useUsageReport } from "./useUsage";

const UsageChart = lazy(() =>
  persistently(() => import("./UsageChart")).then((module) => ({ default: module.UsageChart })),
);

/** What models were used for, in sums and request by request. */
export function UsagePage({ settings }: { settings: Settings }) {
  const [period, setPeriod] = useState<Period>("day");
  const [by, setBy] = useState<UsageBy>("model");
  const report = useUsageReport(period, by);
  return (
    <Page title="Usage" width="table">
      <div className="flex flex-wrap items-center gap-2">
        <Choice label="Period" value={period} onChange={setPeriod} options={PERIODS} />
        <span className="flex-1" />
        <Select label="Told apart" value={by} onChange={setBy} options={BY} />
      </div>
      {report.isError && (
        <ErrorState
          compact
          title="The usage could not be read"
          error={report.error}
          onRetry={() => void report.refetch()}
        />
      )}
      {report.isPending && (
        <Loading>
          <Skeleton className="h-16" />
          <Skeleton className="h-60" />
        </Loading>
      )}
      {report.data && <Sums report={report.data} period={period} by={by} stale={report.isPlaceholderData} />}
      <Requests settings={settings} />
    </Page>
  );
}

/** One of a few values, all in view. */
function Choice<T extends string>({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly { value: T; label: string }[];
}) {
  return (
    <div role="group" aria-label={label} className="flex rounded-md border border-line-strong p-px">
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className={cx(
            "h-6 rounded-sm px-2 text-sm whitespace-nowrap pointer-coarse:h-8",
            option.value === value
              ? "bg-active font-medium text-fg"
              : "text-muted hover:bg-hover hover:text-fg",
          )}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}

function Sums({
  report,
  period,
  by,
  stale,
}: {
  report: UsageReport;
  period: Period;
  by: UsageBy;
  /** What is shown belongs to the choice before. */
  stale: boolean;
}) {
  const names = useNames();
  const [measure, setMeasure] = useState<Measure>("tokens");
  const nameOf = (name: string) => groupName(name, by, names);
  const stacks = stacksOf(report, measure).map(({ name, values }) => ({
    name: name === undefined ? "Others" : nameOf(name),
    isRest: name === undefined,
    values,
  }));
  return (
    <div className={cx("flex flex-col gap-6", stale && "opacity-60")} aria-busy={stale || undefined}>
      {report.lost > 0 && <Lost report={report} />}
      {report.total.requests === 0 ? (
        <NothingUsed />
      ) : (
        <>
          <div className="flex flex-col gap-1">
            <Tiles report={report} />
            <OtherCurrencies report={report} />
          </div>
          <section aria-label="Chart" className="flex flex-col gap-2">
            <div className="flex flex-wrap items-center justify-between gap-2">
              <h2 className="font-semibold text-muted">Over time</h2>
              <Choice label="Shown in the chart" value={measure} onChange={setMeasure} options={MEASURES} />
            </div>
            {stacks.length === 0 ? (
              <p className="rounded-md border border-line px-3 py-6 text-center text-muted">
                {measure === "cost"
                  ? "Nothing had a price in this time: give models prices in Limits and prices."
                  : "No server told of tokens in this time."}
              </p>
            ) : (
              <Suspense fallback={<div className="h-64" />}>
                <UsageChart
                  stacks={stacks}
                  steps={report.steps}
                  period={period}
                  measure={measure}
                  currency={report.currency}
                />
              </Suspense>
            )}
            {stacks.length > 0 && (
              <ChartTable
                stacks={stacks}
                steps={report.steps}
                period={period}
                measure={measure}
                currency={report.currency}
              />
            )}
          </section>
          <UsageGroups report={report} by={by} nameOf={nameOf} />
        </>
      )}
    </div>
  );
}

function NothingUsed() {
  return (
    <EmptyState
      icon={<ChartColumn size={24} aria-hidden />}
      title="No model was asked in this time"
      action={<Button onClick={() => openModels("servers")}>Show models</Button>}
    >
      Requests of workspaces and of this machine&apos;s programs are counted here: tokens, cost, and how long
      they took.
    </EmptyState>
  );
}

function Lost({ report: { lost, why_lost } }: { report: UsageReport }) {
  return (
    <div role="alert" className="flex gap-2 rounded-md bg-starting-soft px-3 py-2">
      <CircleAlert size={16} className="mt-0.5 shrink-0 text-starting" aria-hidden />
      <div className="min-w-0">
        <p className="font-medium">
          {plural(lost, "request")} could not be written down: the sums below lack{" "}
          {lost === 1 ? "it" : "them"}.
        </p>
        {why_lost !== undefined && <p className="break-words text-muted select-text">{sentence(why_lost)}</p>}
      </div>
    </div>
  );
}

function Tiles({ report: { total, first_ms, tokens_per_second, currency } }: { report: UsageReport }) {
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-md border border-line bg-line sm:grid-cols-3 lg:grid-cols-6">
      <Tile
        word="Requests"
        value={formatCount(total.requests)}
        exact={total.requests.toLocaleString("en")}
        note={<NotWhole total={total} />}
      />
      <Tile
        word="Tokens in"
        value={formatCount(total.input_tokens)}
        exact={total.input_tokens.toLocaleString("en")}
      />
      <Tile
        word="Tokens out"
        value={formatCount(total.output_tokens)}
        exact={total.output_tokens.toLocaleString("en")}
      />
      <Tile word="Cost" value={formatMoney(total.cost, currency)} />
      <Tile
        word="First piece"
        value={first_ms === undefined ? "–" : formatLatency(first_ms)}
        note={first_ms === undefined ? undefined : "median of all"}
      />
      <Tile
        word="Tokens a second"
        value={tokens_per_second === undefined ? "–" : formatSpeed(tokens_per_second)}
        note={tokens_per_second === undefined ? undefined : "while answers come"}
      />
    </dl>
  );
}

/** Costs that cannot be summed with the others. */
function OtherCurrencies({ report: { currency, other_currencies = [] } }: { report: UsageReport }) {
  if (other_currencies.length === 0) return null;
  return (
    <p className="text-sm text-faint">
      Costs are those in {currency}. There are some in {listWords(other_currencies)} too, which are not among
      the sums.
    </p>
  );
}

/** How many requests got no whole answer; nothing where all did. */
function NotWhole({ total: { failed, refused, cancelled } }: { total: UsageSum }) {
  const parts = [
    { count: failed, word: "failed", bad: true },
    { count: refused, word: "refused", bad: false },
    { count: cancelled, word: "cancelled", bad: false },
  ].filter(({ count }) => count > 0);
  if (parts.length === 0) return null;
  return parts.map(({ count, word, bad }, index) => (
    <span key={word} className={cx("whitespace-nowrap", bad && "font-medium text-failed")}>
      {formatCount(count)} {word}
      {index < parts.length - 1 && ", "}
    </span>
  ));
}

function Tile({
  word,
  value,
  exact,
  note,
}: {
  word: string;
  value: ReactNode;
  exact?: string;
  note?: ReactNode;
}) {
  return (
    <div className="flex flex-col bg-canvas px-3 py-2">
      <dt className="text-sm text-faint">{word}</dt>
      <dd className="text-lg font-semibold tabular-nums select-text" title={exact}>
        {value}
      </dd>
      {note !== undefined && <dd className="flex flex-wrap gap-x-1 text-xs text-faint">{note}</dd>}
    </div>
  );
}
