import { useMemo } from "react";

export interface SparklineProps {
  /** Oldest first; `at` in milliseconds. */
  points: readonly { at: number; value: number }[];
  /** The value at the top; absent for the largest seen. */
  max?: number | undefined;
  /** Milliseconds across the whole width, up to the newest point. */
  span?: number;
  width?: number;
  height?: number;
  /** What it shows, for screen readers. */
  label: string;
}

/** A small line of recent values: one path, no library, cheap enough for hundreds on a page. */
export function Sparkline({ points, max, span = 120_000, width = 72, height = 20, label }: SparklineProps) {
  const { line, area } = useMemo(() => {
    const end = points.at(-1)?.at ?? 0;
    const shown = points.filter(({ at }) => end - at <= span);
    const top = Math.max(max ?? 0, ...shown.map(({ value }) => value), 1e-9);
    const x = (at: number) => (width * (1 - (end - at) / span)).toFixed(1);
    const corners = shown.map(({ at, value }) => {
      const y = height - 1 - (Math.min(value, top) / top) * (height - 2);
      return `${x(at)} ${y.toFixed(1)}`;
    });
    const first = shown[0];
    if (first === undefined || corners.length < 2) return { line: "", area: "" };
    const path = `M${corners.join("L")}`;
    return { line: path, area: `${path}L${width} ${height}L${x(first.at)} ${height}Z` };
  }, [points, max, span, width, height]);
  return (
    <svg
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      className="shrink-0 overflow-visible text-muted"
    >
      <path d={`M0 ${height - 0.5}H${width}`} stroke="var(--line)" fill="none" />
      <path d={area} fill="var(--accent)" opacity={0.12} />
      <path d={line} stroke="var(--accent-text)" strokeWidth={1.25} strokeLinejoin="round" fill="none" />
    </svg>
  );
}
