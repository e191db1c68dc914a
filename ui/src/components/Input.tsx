import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from "react";
import { cx } from "@/lib/cx";

export interface InputProps extends InputHTMLAttributes<HTMLInputElement> {
  icon?: ReactNode;
  /** Shown at the end, inside the border. */
  trailing?: ReactNode;
  invalid?: boolean;
  /** Code and paths are set in the code font. */
  mono?: boolean;
  ref?: Ref<HTMLInputElement>;
}

export function Input({
  icon,
  trailing,
  invalid = false,
  mono = false,
  className,
  ref,
  ...rest
}: InputProps) {
  return (
    <span
      className={cx(
        "flex h-7 items-center gap-1.5 pointer-coarse:h-9 rounded-md border px-2 transition-colors",
        rest.disabled === true ? "bg-hover" : "bg-canvas",
        "focus-within:border-focus focus-within:outline focus-within:outline-1 focus-within:outline-focus",
        invalid ? "border-failed" : "border-line-strong",
        className,
      )}
    >
      {icon !== undefined && <span className="shrink-0 text-faint">{icon}</span>}
      <input
        ref={ref}
        aria-invalid={invalid || undefined}
        autoComplete="off"
        autoCorrect="off"
        autoCapitalize="off"
        spellCheck={false}
        className={cx(
          "min-w-0 flex-1 bg-transparent text-base text-fg outline-none focus-visible:outline-none disabled:text-faint",
          mono && "font-mono text-sm",
        )}
        {...rest}
      />
      {trailing}
    </span>
  );
}

/** A label above, a control, and below it help or what is wrong. */
export function Field({
  label,
  help,
  error,
  className,
  children,
}: {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  className?: string | undefined;
  children: (ids: { id: string; "aria-describedby": string | undefined }) => ReactNode;
}) {
  const id = useId();
  const describedBy = error !== undefined || help !== undefined ? `${id}-help` : undefined;
  return (
    <div className={cx("flex flex-col gap-1", className)}>
      <label htmlFor={id} className="text-sm font-medium text-muted">
        {label}
      </label>
      {children({ id, "aria-describedby": describedBy })}
      {describedBy !== undefined && (
        <p
          id={describedBy}
          className={cx("text-sm break-words", error !== undefined ? "text-failed" : "text-faint")}
        >
          {error ?? help}
        </p>
      )}
    </div>
  );
}
