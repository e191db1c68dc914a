import { ChevronRight } from "lucide-react";
import { type ReactNode, useState } from "react";
import { cx } from "@/lib/cx";

/** Content that is folded away under its name until it is asked for. */
export function Fold({
  label,
  small = false,
  children,
}: {
  label: string;
  small?: boolean;
  children: ReactNode;
}) {
  const [open, setOpen] = useState(false);
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className={cx(
          "inline-flex items-center gap-1 self-start rounded-sm pointer-coarse:min-h-8 text-muted hover:text-fg",
          small && "text-sm",
        )}
      >
        <ChevronRight size={14} className={cx("transition-transform", open && "rotate-90")} aria-hidden />
        {label}
      </button>
      {open && children}
    </div>
  );
}
