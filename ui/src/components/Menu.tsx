import { Check, ChevronRight } from "lucide-react";
import { ContextMenu as RadixContext, DropdownMenu as RadixDropdown } from "radix-ui";
import { Fragment, type ReactElement, type ReactNode } from "react";
import { cx } from "@/lib/cx";
import { Kbd } from "./Kbd";

export interface MenuItem {
  label: string;
  icon?: ReactNode;
  /** Shown at the end, in the registry's notation. */
  keys?: string | undefined;
  danger?: boolean;
  disabled?: boolean;
  /** A line below: why it is disabled. */
  reason?: string | undefined;
  /** Present: a tick is shown where true. */
  checked?: boolean;
  /** The menu stays open: for several ticks in one go. */
  keepOpen?: boolean;
  onSelect?: () => void;
  /** Present: opens a further menu. */
  items?: readonly MenuEntry[];
}

/** `"separator"` draws a line; absent entries are left out, so that callers may write `condition && item`. */
export type MenuEntry = MenuItem | "separator" | false | undefined;

const CONTENT =
  "z-50 max-h-[min(480px,90vh)] min-w-44 animate-appear overflow-auto rounded-md border border-line bg-raised p-1 shadow-pop outline-none focus-visible:outline-none";
const ITEM =
  "flex min-h-7 items-center gap-2 rounded-sm px-2 text-base outline-none focus-visible:outline-none data-disabled:text-faint data-highlighted:bg-hover data-[state=open]:bg-hover";

type Parts = typeof RadixDropdown | typeof RadixContext;

function Entries({ entries, parts }: { entries: readonly MenuEntry[]; parts: Parts }) {
  const P = parts as typeof RadixDropdown;
  const anyIcon = entries.some(
    (entry) =>
      typeof entry === "object" && entry && (entry.icon !== undefined || entry.checked !== undefined),
  );
  return tidy(entries).map((entry, index) => {
    if (entry === "separator") return <P.Separator key={index} className="-mx-1 my-1 h-px bg-line" />;
    const inner = (
      <>
        {anyIcon && (
          <span className="flex w-4 shrink-0 justify-center text-muted">
            {entry.checked === true ? <Check size={14} aria-hidden /> : entry.icon}
          </span>
        )}
        <span className="flex min-w-0 flex-1 flex-col">
          <span className="truncate">{entry.label}</span>
          {entry.reason !== undefined && <span className="max-w-60 text-sm text-faint">{entry.reason}</span>}
        </span>
        {entry.keys !== undefined && <Kbd keys={entry.keys} />}
        {entry.items && <ChevronRight size={14} className="text-faint" aria-hidden />}
      </>
    );
    if (entry.items) {
      return (
        <P.Sub key={entry.label}>
          <P.SubTrigger className={ITEM}>{inner}</P.SubTrigger>
          <P.Portal>
            <P.SubContent className={CONTENT} sideOffset={4} collisionPadding={8}>
              <Entries entries={entry.items} parts={parts} />
            </P.SubContent>
          </P.Portal>
        </P.Sub>
      );
    }
    const Item = entry.checked === undefined ? P.Item : P.CheckboxItem;
    return (
      <Fragment key={entry.label}>
        <Item
          className={cx(ITEM, entry.danger === true && "text-failed")}
          disabled={entry.disabled === true}
          onSelect={(event: globalThis.Event) => {
            if (entry.keepOpen === true) event.preventDefault();
            entry.onSelect?.();
          }}
          {...(entry.checked === undefined ? {} : { checked: entry.checked })}
        >
          {inner}
        </Item>
      </Fragment>
    );
  });
}

/** Leaves out absent entries, and separators with nothing before or after them. */
function tidy(entries: readonly MenuEntry[]): (MenuItem | "separator")[] {
  const present = entries.filter((entry) => entry !== false && entry !== undefined);
  return present.filter(
    (entry, i) =>
      entry !== "separator" || (i > 0 && i < present.length - 1 && present[i - 1] !== "separator"),
  );
}

export interface MenuProps {
  /** The button that opens it. */
  children: ReactElement;
  entries: readonly MenuEntry[];
  align?: "start" | "center" | "end";
  side?: "top" | "right" | "bottom" | "left";
  onOpenChange?: (open: boolean) => void;
}

/** A menu below a button. */
export function Menu({ children, entries, align = "start", side = "bottom", onOpenChange }: MenuProps) {
  return (
    <RadixDropdown.Root modal={false} {...(onOpenChange ? { onOpenChange } : {})}>
      <RadixDropdown.Trigger asChild>{children}</RadixDropdown.Trigger>
      <RadixDropdown.Portal>
        <RadixDropdown.Content
          className={CONTENT}
          align={align}
          side={side}
          sideOffset={4}
          collisionPadding={8}
          onClick={(event) => event.stopPropagation()}
        >
          <Entries entries={entries} parts={RadixDropdown} />
        </RadixDropdown.Content>
      </RadixDropdown.Portal>
    </RadixDropdown.Root>
  );
}

/** A menu at the pointer, or by the menu key, for the element within. */
export function ContextMenu({
  children,
  entries,
  onOpenChange,
}: Pick<MenuProps, "children" | "entries" | "onOpenChange">) {
  return (
    <RadixContext.Root modal={false} {...(onOpenChange ? { onOpenChange } : {})}>
      <RadixContext.Trigger asChild>{children}</RadixContext.Trigger>
      <RadixContext.Portal>
        <RadixContext.Content
          className={CONTENT}
          collisionPadding={8}
          onClick={(event) => event.stopPropagation()}
        >
          <Entries entries={entries} parts={RadixContext} />
        </RadixContext.Content>
      </RadixContext.Portal>
    </RadixContext.Root>
  );
}
