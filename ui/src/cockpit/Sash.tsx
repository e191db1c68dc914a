import { useRef, type KeyboardEvent, type PointerEvent } from "react";
import { cx } from "@/lib/cx";

const STEP = 16;

interface SashProps {
  label: string;
  /** Of the line itself: a vertical one divides left from right. */
  orientation: "vertical" | "horizontal";
  size: number;
  min: number;
  max: number;
  /** True where the measured side lies after the line: moving the line forward makes it smaller. */
  after?: boolean;
  onResize: (size: number) => void;
  onReset: () => void;
}

/** The line between two parts, which can be moved by pointer and arrow keys. */
export function Sash({ label, orientation, size, min, max, after = false, onResize, onReset }: SashProps) {
  const start = useRef<{ at: number; size: number } | undefined>(undefined);
  const vertical = orientation === "vertical";
  const clamp = (value: number) => Math.round(Math.max(min, Math.min(max, value)));
  const place = (event: PointerEvent) => (vertical ? event.clientX : event.clientY);
  const onKeyDown = (event: KeyboardEvent) => {
    const back = vertical ? "ArrowLeft" : "ArrowUp";
    const forth = vertical ? "ArrowRight" : "ArrowDown";
    if (event.key !== back && event.key !== forth) return;
    event.preventDefault();
    const sign = (event.key === forth ? 1 : -1) * (after ? -1 : 1);
    onResize(clamp(size + sign * STEP));
  };
  return (
    <div
      role="separator"
      aria-label={label}
      aria-orientation={orientation}
      aria-valuenow={size}
      aria-valuemin={min}
      aria-valuemax={Math.round(max)}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onDoubleClick={onReset}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: place(event), size };
      }}
      onPointerMove={(event) => {
        if (!start.current) return;
        const delta = (place(event) - start.current.at) * (after ? -1 : 1);
        onResize(clamp(start.current.size + delta));
      }}
      onPointerUp={() => (start.current = undefined)}
      onPointerCancel={() => (start.current = undefined)}
      className={cx(
        "relative z-10 shrink-0 touch-none bg-line transition-colors hover:bg-line-strong focus-visible:bg-accent focus-visible:outline-none active:bg-accent",
        // The line is one pixel; what takes the pointer is wider.
        vertical
          ? "w-px cursor-col-resize before:absolute before:inset-y-0 before:-left-1 before:w-2"
          : "h-px cursor-row-resize before:absolute before:inset-x-0 before:-top-1 before:h-2",
      )}
    />
  );
}
