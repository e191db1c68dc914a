import { formatCount, formatLatency, formatMoney, formatSpeed } from "@/lib/format";
import { type UsageBy, type UsageReport, type UsageSum } from "@/protocol/generated";
import { BY } from "./usage";

const exact = (value: number) => value.toLocaleString("en");

/** Sums by model, server or workspace, most tokens first. */
export function UsageGroups({
  report: { groups, total, first_ms, tokens_per_second, currency },
  by,
  nameOf,
}: {
  report: UsageReport;
  by: UsageBy;
  nameOf: (name: string) => string;
}) {
  const what = BY.find(({ value }) => value === by)?.what ?? "";
  return (
    <section aria-label="Sums" className="flex flex-col gap-2">
      <h2 className="font-semibold text-muted">{BY.find(({ value }) => value === by)?.label}</h2>
      <div
        role="region"
        aria-label="Table of sums"
        // Scrollable content must be reachable by keyboard.
        tabIndex={0}
        className="overflow-x-auto rounded-md border border-line"
      >
        <table className="w-full tabular-nums">
          <thead className="text-left text-sm text-faint">
            <tr>
              <th scope="col" className="px-3 py-1.5 font-medium">
                {what}
              </th>
              {[
                "Requests",
                "Failed",
                "Tokens in",
                "Tokens out",
                "Cost",
                "First piece",
                "Tokens a second",
              ].map((head) => (
                <th key={head} scope="col" className="px-3 py-1.5 text-right font-medium whitespace-nowrap">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="divide-y divide-line border-y border-line">
            {groups.map(({ name, sum, ...times }) => (
              <tr key={name}>
                <th scope="row" className="min-w-40 px-3 py-1.5 text-left font-medium break-all select-text">
                  {nameOf(name)}
                </th>
                <Figures sum={sum} currency={currency} />
                <Times first={times.first_ms} speed={times.tokens_per_second} />
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" className="px-3 py-1.5 text-left font-semibold">
                Together
              </th>
              <Figures sum={total} currency={currency} />
              <Times first={first_ms} speed={tokens_per_second} />
            </tr>
          </tfoot>
        </table>
      </div>
    </section>
  );
}

function Figures({ sum, currency }: { sum: UsageSum; currency: string }) {
  const { requests, failed, input_tokens, output_tokens, cost } = sum;
  return (
    <>
      <td className="px-3 py-1.5 text-right select-text" title={exact(requests)}>
        {formatCount(requests)}
      </td>
      <td className={`px-3 py-1.5 text-right select-text ${failed > 0 ? "text-failed" : ""}`}>
        {formatCount(failed)}
      </td>
      <td className="px-3 py-1.5 text-right select-text" title={exact(input_tokens)}>
        {formatCount(input_tokens)}
      </td>
      <td className="px-3 py-1.5 text-right select-text" title={exact(output_tokens)}>
        {formatCount(output_tokens)}
      </td>
      <td className="px-3 py-1.5 text-right select-text">{formatMoney(cost, currency)}</td>
    </>
  );
}

function Times({ first, speed }: { first: number | undefined; speed: number | undefined }) {
  return (
    <>
      <td className="px-3 py-1.5 text-right whitespace-nowrap select-text">
        {first === undefined ? "–" : formatLatency(first)}
      </td>
      <td className="px-3 py-1.5 text-right select-text">{speed === undefined ? "–" : formatSpeed(speed)}</td>
    </>
  );
}
