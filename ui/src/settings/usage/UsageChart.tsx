import { useEffect, useEffectEvent, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { token, useResolvedTheme } from "@/theme/theme";
import { colourOf, type NamedStack } from "./colours";
import { type Measure, MEASURES, type Period, stepWords, valueWords } from "./usage";

export interface ChartProps {
  stacks: readonly NamedStack[];
  /** When each step begins. */
  steps: readonly number[];
  period: Period;
  measure: Measure;
  currency: string;
}

const HEIGHT = 240;
const FONT = "12px Inter Variable, system-ui, sans-serif";

/** Bars, a step each, of stacks in their colours; the figures of the step under the pointer beside it. */
export function UsageChart({ stacks, steps, period, measure, currency }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState<{ step: number; left: number } | undefined>();
  const theme = useResolvedTheme();
  // The chart is drawn anew where its figures differ, not at each look.
  const drawn = JSON.stringify([stacks, steps, measure, period, currency]);

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const draw = useEffectEvent((element: HTMLDivElement) => {
    const options: uPlot.Options = {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: false, range: [-0.5, steps.length - 0.5] },
        y: { range: (_, __, max) => [0, max <= 0 ? 1 : max * 1.05] },
      },
      axes: axesOf({ steps, period, measure, currency }, width),
      series: [{}, ...stacks.map((stack, index) => seriesOf(stack, index)).reverse()],
      hooks: {
        setCursor: [
          ({ cursor: { idx, left } }) =>
            setAt(idx == null || left === undefined || left < 0 ? undefined : { step: idx, left }),
        ],
      },
    };
    return new uPlot(options, dataOf(stacks, steps.length), element);
  });
  useEffect(() => {
    const element = place.current;
    if (!element || width === 0) return;
    const chart = draw(element);
    return () => chart.destroy();
  }, [width, theme, drawn]);

  const word = MEASURES.find(({ value }) => value === measure)?.label ?? "";
  return (
    <figure className="flex flex-col gap-2">
      <div className="relative">
        <div
          ref={place}
          role="img"
          aria-label={`${word} over time. The figures are in the table below.`}
          style={{ height: HEIGHT }}
        />
        {at && at.step < steps.length && (
          <Tip
            stacks={stacks}
            step={at.step}
            title={stepWords(steps[at.step] ?? 0, period)}
            left={at.left}
            width={width}
            words={(value) => valueWords(value, measure, currency)}
          />
        )}
      </div>
      <figcaption>
        <ul aria-label="Legend" className="flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
          {stacks.map((stack, index) => (
            <li key={stack.name} className="flex min-w-0 items-center gap-1.5">
              <Swatch colour={`var(${colourOf(stack, index)})`} />
              <span className="min-w-0 break-all">{stack.name}</span>
            </li>
          ))}
        </ul>
      </figcaption>
    </figure>
  );
}

function Swatch({ colour }: { colour: string }) {
  return <span aria-hidden className="size-2.5 shrink-0 rounded-sm" style={{ background: colour }} />;
}

/** The figures of one step, beside the pointer. */
function Tip({
  stacks,
  step,
  title,
  left,
  width,
  words,
}: {
  stacks: readonly NamedStack[];
  step: number;
  title: string;
  left: number;
  width: number;
  words: (value: number) => string;
}) {
  const shown = stacks
    .map((stack, index) => ({ stack, index, value: stack.values[step] ?? 0 }))
    .filter(({ value }) => value > 0);
  const total = shown.reduce((all, { value }) => all + value, 0);
  const isRight = left + AXIS_WIDTH > width / 2;
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute top-2 z-10 flex max-w-72 min-w-36 flex-col gap-0.5 rounded-md border border-line bg-raised px-2 py-1.5 text-sm shadow-pop"
      style={isRight ? { right: width - left - AXIS_WIDTH + 12 } : { left: left + AXIS_WIDTH + 12 }}
    >
      <p className="flex justify-between gap-4 font-medium">
        {title} <span className="tabular-nums">{words(total)}</span>
      </p>
      {shown.map(({ stack, index, value }) => (
        <p key={stack.name} className="flex items-center gap-1.5 text-muted">
          <Swatch colour={`var(${colourOf(stack, index)})`} />
          <span className="min-w-0 flex-1 truncate">{stack.name}</span>
          <span className="tabular-nums">{words(value)}</span>
        </p>
      ))}
    </div>
  );
}

const AXIS_WIDTH = 56;

function axesOf(
  { steps, period, measure, currency }: Omit<ChartProps, "stacks">,
  width: number,
): uPlot.Axis[] {
  const grid = { stroke: token("--line"), width: 1 };
  const every = Math.max(1, Math.ceil((steps.length * 64) / Math.max(width - AXIS_WIDTH, 64)));
  return [
    {
      stroke: token("--faint"),
      font: FONT,
      grid: { show: false },
      ticks: { show: false },
      size: 28,
      splits: () => steps.map((_, index) => index).filter((index) => index % every === 0),
      values: (_, places) => places.map((index) => stepWords(steps[index] ?? 0, period)),
    },
    {
      stroke: token("--faint"),
      font: FONT,
      grid,
      ticks: { show: false },
      size: AXIS_WIDTH,
      values: (_, values) =>
        // Half a request is none.
        values.map((value) =>
          measure !== "cost" && !Number.isInteger(value) ? "" : valueWords(value, measure, currency),
        ),
    },
  ];
}

function seriesOf(stack: NamedStack, index: number): uPlot.Series {
  const colour = token(colourOf(stack, index));
  const bars = uPlot.paths.bars?.({ size: [0.7, 48], radius: 0 });
  return {
    label: stack.name,
    fill: colour,
    stroke: colour,
    width: 0,
    points: { show: false },
    ...(bars ? { paths: bars } : {}),
  };
}

/** Each stack on those below it; the highest first, so that the lower ones are drawn over it. */
function dataOf(stacks: readonly NamedStack[], count: number): uPlot.AlignedData {
  const heights: number[][] = [];
  let below: number[] = Array.from({ length: count }, () => 0);
  for (const { values } of stacks) {
    below = below.map((height, step) => height + (values[step] ?? 0));
    heights.push(below);
  }
  return [Array.from({ length: count }, (_, step) => step), ...heights.reverse()];
}
