import { type ReactNode } from "react";
import { cx } from "@/lib/cx";

export type Tone = "running" | "starting" | "stopped" | "failed" | "info";

const SOFT: Record<Tone, string> = {
  running: "bg-running-soft text-running",
  starting: "bg-starting-soft text-starting",
  stopped: "bg-hover text-muted",
  failed: "bg-failed-soft text-failed",
  info: "bg-info-soft text-accent-text",
};

const COLOURS: Record<Tone, string> = {
  running: "text-running",
  starting: "text-starting",
  stopped: "text-stopped",
  failed: "text-failed",
  info: "text-accent-text",
};

/** A small word on a soft ground: an engine, a count, a kind. */
export function Badge({
  tone = "stopped",
  icon,
  children,
}: {
  tone?: Tone;
  icon?: ReactNode;
  children: ReactNode;
}) {
  return (
    <span
      className={cx(
        "inline-flex h-5 shrink-0 items-center gap-1 rounded-sm px-1.5 text-sm font-medium whitespace-nowrap",
        SOFT[tone],
      )}
    >
      {icon}
      {children}
    </span>
  );
}

/**
 * A state's colour as a shape that differs too: running a full dot, starting a half-filled one that breathes,
 * stopped a ring, failed a triangle, info a square. Always beside its word, so hidden from screen readers.
 */
export function StateDot({
  tone,
  moving = false,
  size = 10,
}: {
  tone: Tone;
  moving?: boolean;
  size?: number;
}) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 10 10"
      aria-hidden
      className={cx("shrink-0", COLOURS[tone], moving && "animate-breathe")}
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
    >
      {tone === "running" && <circle cx={5} cy={5} r={4} fill="currentColor" stroke="none" />}
      {tone === "starting" && (
        <>
          <circle cx={5} cy={5} r={3.5} />
          <path d="M5 1.5a3.5 3.5 0 0 1 0 7z" fill="currentColor" stroke="none" />
        </>
      )}
      {tone === "stopped" && <circle cx={5} cy={5} r={3.25} />}
      {tone === "failed" && <path d="M5 1 9.4 9H.6z" fill="currentColor" stroke="none" />}
      {tone === "info" && (
        <rect x={1.5} y={1.5} width={7} height={7} rx={1} fill="currentColor" stroke="none" />
      )}
    </svg>
  );
}

/** A state as dot and word. */
export function StateLabel({
  tone,
  moving = false,
  children,
}: {
  tone: Tone;
  moving?: boolean;
  children: ReactNode;
}) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 text-sm whitespace-nowrap", COLOURS[tone])}>
      <StateDot tone={tone} moving={moving} />
      {children}
    </span>
  );
}
