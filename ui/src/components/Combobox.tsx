import { ChevronDown } from "lucide-react";
import { Popover as Radix } from "radix-ui";
import { useId, useRef, useState } from "react";
import { cx } from "@/lib/cx";
import { Input, type InputProps } from "./Input";

export interface ComboboxOption {
  value: string;
  /** A few words beside it: a size, a state. */
  note?: string | undefined;
}

export interface ComboboxProps extends Omit<InputProps, "value" | "onChange" | "trailing"> {
  value: string;
  onChange: (value: string) => void;
  /** Suggestions; anything else may be typed. */
  options: readonly ComboboxOption[];
  /** Names the list for screen readers. */
  listLabel: string;
}

/** A text field with suggestions below it. */
export function Combobox({ value, onChange, options, listLabel, className, ...rest }: ComboboxProps) {
  const listId = useId();
  const field = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  // What was in the field as it opened is a choice, not a filter.
  const [typed, setTyped] = useState(false);
  const [active, setActive] = useState(-1);
  const words = typed ? value.toLowerCase().split(/\s+/).filter(Boolean) : [];
  const shown = options.filter((option) => words.every((word) => option.value.toLowerCase().includes(word)));
  const isShown = open && shown.length > 0;

  const show = () => {
    setTyped(false);
    setActive(options.findIndex((option) => option.value === value));
    setOpen(true);
  };
  const choose = (option: ComboboxOption) => {
    onChange(option.value);
    setOpen(false);
    field.current?.focus();
  };
  const move = (step: 1 | -1) => {
    // One place more than there are options: none of them, which is what was typed.
    const places = shown.length + 1;
    setActive(((active + 1 + step + places) % places) - 1);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const chosen = isShown ? shown[active] : undefined;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (isShown) move(event.key === "ArrowDown" ? 1 : -1);
      else show();
    } else if (event.key === "Enter" && chosen !== undefined) {
      event.preventDefault();
      choose(chosen);
    } else if (event.key === "Escape" && isShown) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    }
  };

  return (
    <Radix.Root open={isShown} onOpenChange={setOpen}>
      <Radix.Anchor asChild>
        <span className={cx("flex min-w-0", className)}>
          <Input
            {...rest}
            ref={field}
            role="combobox"
            aria-expanded={isShown}
            aria-controls={isShown ? listId : undefined}
            aria-autocomplete="list"
            aria-activedescendant={isShown && active >= 0 ? `${listId}-${active}` : undefined}
            value={value}
            onChange={(event) => {
              onChange(event.target.value);
              setTyped(true);
              setActive(-1);
              setOpen(true);
            }}
            onClick={() => !isShown && show()}
            onBlur={() => setOpen(false)}
            onKeyDown={onKeyDown}
            trailing={
              options.length > 0 && <ChevronDown size={14} className="shrink-0 text-faint" aria-hidden />
            }
            className="min-w-0 flex-1"
          />
        </span>
      </Radix.Anchor>
      {/* Not in a portal: a dialog lets nothing outside of it be scrolled. */}
      <Radix.Content
        id={listId}
        role="listbox"
        aria-label={listLabel}
        align="start"
        sideOffset={4}
        collisionPadding={8}
        onOpenAutoFocus={(event) => event.preventDefault()}
        onCloseAutoFocus={(event) => event.preventDefault()}
        // The field stays a part of it.
        onInteractOutside={(event) => event.preventDefault()}
        className="z-50 max-h-60 w-[var(--radix-popover-trigger-width)] min-w-60 overflow-auto rounded-md border border-line bg-raised p-1 shadow-pop"
      >
        {shown.map((option, index) => (
          <div
            key={option.value}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            ref={index === active ? (row) => row?.scrollIntoView({ block: "nearest" }) : undefined}
            // The field keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(option)}
            onKeyDown={onKeyDown}
            className={cx(
              "flex flex-wrap items-baseline justify-between gap-x-3 rounded-sm px-2 py-1 pointer-coarse:py-2",
              index === active ? "bg-selected" : "hover:bg-hover",
            )}
          >
            <span className={cx("min-w-0 break-all", rest.mono === true && "font-mono text-sm")}>
              {option.value}
            </span>
            {option.note !== undefined && (
              <span className="text-sm text-muted tabular-nums">{option.note}</span>
            )}
          </div>
        ))}
      </Radix.Content>
    </Radix.Root>
  );
}
