import { LoaderCircle } from "lucide-react";
import { type ButtonHTMLAttributes, type ReactNode, type Ref } from "react";
import { cx } from "@/lib/cx";
import { useDelayed } from "@/lib/time";
import { Tooltip } from "./Tooltip";

export type ButtonKind = "primary" | "secondary" | "ghost" | "danger";

const KINDS: Record<ButtonKind, string> = {
  primary: "bg-accent text-accent-fg hover:bg-accent-hover disabled:bg-active disabled:text-faint",
  secondary:
    "border border-line-strong bg-raised text-fg hover:bg-hover active:bg-active disabled:text-faint",
  ghost: "text-muted hover:bg-hover hover:text-fg active:bg-active disabled:text-faint",
  danger: "bg-danger text-danger-fg hover:bg-danger-hover disabled:bg-active disabled:text-faint",
};

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  /** `small` is 24 px high, otherwise 28 px. */
  size?: "small" | "medium";
  icon?: ReactNode;
  /** Work is under way: not clickable; shows a turning circle once that has lasted 150 ms. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  kind = "secondary",
  size = "medium",
  icon,
  busy = false,
  disabled,
  className,
  children,
  ...rest
}: ButtonProps) {
  const turning = useDelayed(busy);
  return (
    <button
      type="button"
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      className={cx(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors",
        size === "small" ? "h-6 px-2 text-sm pointer-coarse:h-8" : "h-7 px-3 text-base pointer-coarse:h-9",
        KINDS[kind],
        className,
      )}
      {...rest}
    >
      {turning ? <LoaderCircle size={14} className="animate-turn" aria-hidden /> : icon}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> {
  /** Says what it does; shown as tooltip and read by screen readers. */
  label: string;
  icon: ReactNode;
  /** Keys shown in the tooltip, as in the command registry (`Mod+P`). */
  keys?: string | undefined;
  size?: "small" | "medium";
  pressed?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function IconButton({
  label,
  icon,
  keys,
  size = "medium",
  pressed,
  className,
  ...rest
}: IconButtonProps) {
  return (
    <Tooltip content={label} keys={keys}>
      <button
        type="button"
        aria-label={label}
        aria-pressed={pressed}
        className={cx(
          "inline-flex shrink-0 items-center justify-center rounded-md text-muted transition-colors",
          "hover:bg-hover hover:text-fg active:bg-active disabled:text-faint disabled:opacity-50 disabled:hover:bg-transparent",
          pressed === true && "bg-active text-fg",
          size === "small" ? "size-6 pointer-coarse:size-8" : "size-7 pointer-coarse:size-9",
          className,
        )}
        {...rest}
      >
        {icon}
      </button>
    </Tooltip>
  );
}
