import { type ReactNode } from "react";
import { Tooltip } from "@/components";
import { cx } from "@/lib/cx";

/** A small switch inside a field: match case, whole word, regular expression. */
export function Toggle({
  label,
  icon,
  on,
  onChange,
  keys,
}: {
  label: string;
  icon: ReactNode;
  on: boolean;
  onChange: (on: boolean) => void;
  keys?: string;
}) {
  return (
    <Tooltip content={label} keys={keys}>
      <button
        type="button"
        aria-label={label}
        aria-pressed={on}
        onClick={() => onChange(!on)}
        className={cx(
          "inline-flex size-5.5 shrink-0 items-center justify-center rounded-sm border",
          on
            ? "border-accent bg-selected text-fg"
            : "border-transparent text-muted hover:bg-hover hover:text-fg",
        )}
      >
        {icon}
      </button>
    </Tooltip>
  );
}
