import { useMemo } from "react";

export interface SparklineProps {
  /** Oldest first. */
  values: readonly number[];
  /** The value at the top; absent for the largest seen. */
  max?: number | undefined;
  /** Points across the whole width; fewer values sit at the right. */
  capacity?: number;
  width?: number;
  height?: number;
  /** What it shows, for screen readers. */
  label: string;
}

/** A small line of recent values: one path, no library, cheap enough for hundreds on a page. */
export function Sparkline({ values, max, capacity = 60, width = 72, height = 20, label }: SparklineProps) {
  const { line, area } = useMemo(() => {
    const shown = values.slice(-capacity);
    const top = Math.max(max ?? 0, ...shown, 1e-9);
    const step = width / (capacity - 1);
    const from = width - (shown.length - 1) * step;
    const points = shown.map((value, i) => {
      const y = height - 1 - (Math.min(value, top) / top) * (height - 2);
      return `${(from + i * step).toFixed(1)} ${y.toFixed(1)}`;
    });
    if (points.length < 2) return { line: "", area: "" };
    const path = `M${points.join("L")}`;
    return { line: path, area: `${path}L${width} ${height}L${from.toFixed(1)} ${height}Z` };
  }, [values, max, capacity, width, height]);
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
