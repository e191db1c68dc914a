import { Fold } from "@/components";
import { type NamedStack } from "./colours";
import { type Measure, MEASURES, type Period, stepWords, valueWords } from "./usage";

/** The chart's figures as a table. Steps without any are left out. */
export function ChartTable({
  stacks,
  steps,
  period,
  measure,
  currency,
}: {
  stacks: readonly NamedStack[];
  steps: readonly number[];
  period: Period;
  measure: Measure;
  currency: string;
}) {
  const word = MEASURES.find(({ value }) => value === measure)?.label ?? "";
  const rows = steps
    .map((at, step) => ({ at, values: stacks.map(({ values }) => values[step] ?? 0) }))
    .filter(({ values }) => values.some((value) => value > 0));
  const words = (value: number) => (value === 0 ? "–" : valueWords(value, measure, currency));
  return (
    <Fold small label="Figures of the chart">
      <div
        role="region"
        aria-label="Figures of the chart"
        // Scrollable content must be reachable by keyboard.
        tabIndex={0}
        className="max-h-72 overflow-auto rounded-md border border-line"
      >
        <table className="w-full text-sm">
          <caption className="sr-only">{word} by time</caption>
          <thead className="sticky top-0 bg-surface text-left text-faint">
            <tr>
              <th scope="col" className="px-3 py-1.5 font-medium">
                Time
              </th>
              {stacks.map(({ name }) => (
                <th
                  key={name}
                  scope="col"
                  title={name}
                  className="max-w-40 truncate px-3 py-1.5 text-right font-medium"
                >
                  {name}
                </th>
              ))}
              <th scope="col" className="px-3 py-1.5 text-right font-medium">
                Together
              </th>
            </tr>
          </thead>
          <tbody className="divide-y divide-line tabular-nums">
            {rows.map(({ at, values }) => (
              <tr key={at}>
                <th scope="row" className="px-3 py-1 text-left font-normal whitespace-nowrap">
                  {stepWords(at, period)}
                </th>
                {values.map((value, index) => (
                  <td key={index} className="px-3 py-1 text-right select-text">
                    {words(value)}
                  </td>
                ))}
                <td className="px-3 py-1 text-right font-medium select-text">
                  {words(values.reduce((all, value) => all + value, 0))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Fold>
  );
}
