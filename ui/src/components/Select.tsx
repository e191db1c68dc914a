import { Check, ChevronDown } from "lucide-react";
import { Select as Radix } from "radix-ui";
import { type ReactNode } from "react";
import { cx } from "@/lib/cx";

export interface SelectOption<T extends string> {
  value: T;
  label: string;
  description?: string;
  icon?: ReactNode;
  disabled?: boolean;
}

export interface SelectProps<T extends string> {
  value: T;
  onChange: (value: T) => void;
  options: readonly SelectOption<T>[];
  label?: string;
  id?: string;
  "aria-describedby"?: string | undefined;
  disabled?: boolean;
  className?: string;
}

export function Select<T extends string>({
  value,
  onChange,
  options,
  label,
  disabled,
  className,
  ...rest
}: SelectProps<T>) {
  const chosen = options.find((option) => option.value === value);
  return (
    <Radix.Root value={value} onValueChange={(next) => onChange(next as T)} disabled={disabled === true}>
      <Radix.Trigger
        aria-label={label}
        className={cx(
          "inline-flex h-7 items-center pointer-coarse:h-9 justify-between gap-2 rounded-md border border-line-strong bg-raised px-2 text-base hover:bg-hover disabled:text-faint",
          className,
        )}
        {...rest}
      >
        <span className="flex min-w-0 items-center gap-1.5 truncate">
          {chosen?.icon}
          <Radix.Value>{chosen?.label}</Radix.Value>
        </span>
        <ChevronDown size={14} className="shrink-0 text-faint" aria-hidden />
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          position="popper"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[var(--radix-select-content-available-height)] min-w-[var(--radix-select-trigger-width)] animate-appear overflow-auto rounded-md border border-line bg-raised p-1 shadow-pop"
        >
          <Radix.Viewport>
            {options.map((option) => (
              <Radix.Item
                key={option.value}
                value={option.value}
                disabled={option.disabled === true}
                className="flex items-start gap-2 rounded-sm py-1 pr-6 pl-2 pointer-coarse:py-2 outline-none data-disabled:text-faint data-highlighted:bg-hover data-highlighted:outline-none"
              >
                {option.icon !== undefined && (
                  <span className="mt-0.5 shrink-0 text-muted">{option.icon}</span>
                )}
                <span className="flex min-w-0 flex-col">
                  <Radix.ItemText>{option.label}</Radix.ItemText>
                  {option.description !== undefined && (
                    <span className="max-w-72 text-sm text-faint">{option.description}</span>
                  )}
                </span>
                <Radix.ItemIndicator className="absolute right-2 mt-1">
                  <Check size={14} aria-hidden />
                </Radix.ItemIndicator>
              </Radix.Item>
            ))}
          </Radix.Viewport>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
