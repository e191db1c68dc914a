import { Check, Minus } from "lucide-react";
import { Checkbox as RadixCheckbox, Switch as RadixSwitch } from "radix-ui";
import { type ReactNode, useId } from "react";
import { cx } from "@/lib/cx";

export interface CheckboxProps {
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
  /** Read by screen readers; shown only where `children` are given. */
  label: string;
  children?: ReactNode;
  disabled?: boolean;
  className?: string;
  tabIndex?: number;
}

export function Checkbox({
  checked,
  onChange,
  label,
  children,
  disabled,
  className,
  tabIndex,
}: CheckboxProps) {
  const box = (
    <RadixCheckbox.Root
      checked={checked}
      disabled={disabled === true}
      onCheckedChange={(next) => onChange(next === true)}
      aria-label={children === undefined ? label : undefined}
      {...(tabIndex === undefined ? {} : { tabIndex })}
      className={cx(
        "inline-flex size-4 shrink-0 items-center justify-center rounded-sm border border-line-strong bg-canvas",
        "data-[state=checked]:border-accent data-[state=checked]:bg-accent data-[state=indeterminate]:border-accent data-[state=indeterminate]:bg-accent",
        "disabled:opacity-50",
        children === undefined && className,
      )}
    >
      <RadixCheckbox.Indicator className="text-accent-fg">
        {checked === "indeterminate" ? <Minus size={12} aria-hidden /> : <Check size={12} aria-hidden />}
      </RadixCheckbox.Indicator>
    </RadixCheckbox.Root>
  );
  if (children === undefined) return box;
  return (
    <label className={cx("flex items-start gap-2 text-base", className)}>
      <span className="flex h-5 items-center">{box}</span>
      <span className={cx(disabled === true && "text-faint")}>{children}</span>
    </label>
  );
}

export interface SwitchProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: string;
  description?: ReactNode;
  disabled?: boolean;
}

/** A setting that takes effect at once. */
export function Switch({ checked, onChange, label, description, disabled }: SwitchProps) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div className="min-w-0">
        <label htmlFor={id} className="text-base text-fg">
          {label}
        </label>
        {description !== undefined && (
          <p id={`${id}-help`} className="text-sm text-faint">
            {description}
          </p>
        )}
      </div>
      <RadixSwitch.Root
        id={id}
        checked={checked}
        onCheckedChange={onChange}
        disabled={disabled === true}
        aria-describedby={description === undefined ? undefined : `${id}-help`}
        className="mt-0.5 inline-flex h-4.5 w-8 shrink-0 items-center rounded-full bg-line-strong p-0.5 transition-colors disabled:opacity-50 data-[state=checked]:bg-accent"
      >
        <RadixSwitch.Thumb className="size-3.5 rounded-full bg-canvas transition-transform data-[state=checked]:translate-x-3.5 data-[state=checked]:bg-accent-fg" />
      </RadixSwitch.Root>
    </div>
  );
}
