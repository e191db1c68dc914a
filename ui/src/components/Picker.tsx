import { Dialog as Radix } from "radix-ui";
import { type ReactNode, useId, useState } from "react";
import { cx } from "@/lib/cx";
import { returnFocus } from "@/lib/focus";
import { VirtualList } from "./VirtualList";

export interface PickerProps<T> {
  open: boolean;
  onClose: () => void;
  /** Names the dialog for screen readers. */
  label: string;
  placeholder: string;
  query: string;
  onQuery: (query: string) => void;
  /** What matches the query, best first. */
  items: readonly T[];
  itemKey: (item: T) => string;
  renderItem: (item: T, active: boolean) => ReactNode;
  /** `other` is true with Mod+Enter or Mod+click: open to the side, keep open, or the like. */
  onPick: (item: T, other: boolean) => void;
  /** Shown beside the list for the active item, from 768 px up. */
  preview?: (item: T) => ReactNode;
  /** Shown in place of the list when nothing matches. */
  empty: ReactNode;
  /** One line below the list. */
  footer?: ReactNode;
  rowHeight?: number;
}

/** A field and a list of choices at the top of the window: palette, quick open, workspace switcher. */
export function Picker<T>(props: PickerProps<T>) {
  return (
    <Radix.Root open={props.open} onOpenChange={(next) => !next && props.onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40" />
        <Radix.Content
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          className={cx(
            "fixed inset-x-3 top-10 z-40 mx-auto flex animate-appear flex-col overflow-hidden rounded-md border border-line bg-raised shadow-pop focus-visible:outline-none",
            props.preview ? "max-w-200" : "max-w-150",
          )}
        >
          <Radix.Title className="sr-only">{props.label}</Radix.Title>
          <PickerBody {...props} />
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function PickerBody<T>({
  label,
  placeholder,
  query,
  onQuery,
  items,
  itemKey,
  renderItem,
  onPick,
  preview,
  empty,
  footer,
  rowHeight = 32,
}: PickerProps<T>) {
  const listId = useId();
  const [chosen, setChosen] = useState<{ query: string; index: number }>({ query, index: 0 });
  // A new query starts at its best match.
  const wanted = chosen.query === query ? chosen.index : 0;
  const active = Math.min(wanted, items.length - 1);
  const activeItem = items[active];
  const move = (to: number) => setChosen({ query, index: (to + items.length) % Math.max(1, items.length) });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const page = Math.max(1, Math.floor(320 / rowHeight) - 1);
    const steps: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: Math.min(active + page, items.length - 1),
      PageUp: Math.max(active - page, 0),
    };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if (event.key === "Enter" && activeItem !== undefined && !event.nativeEvent.isComposing) {
      event.preventDefault();
      onPick(activeItem, event.ctrlKey || event.metaKey);
    }
  };
  return (
    <>
      <input
        autoFocus
        role="combobox"
        aria-label={label}
        aria-expanded
        aria-controls={listId}
        aria-activedescendant={activeItem === undefined ? undefined : `${listId}-${active}`}
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={onKeyDown}
        className="h-10 shrink-0 border-b border-line bg-transparent px-3 text-base text-fg focus-visible:outline-none"
      />
      <div className="flex min-h-0">
        {items.length === 0 ? (
          <div className="flex-1 px-3 py-6 text-center text-muted">{empty}</div>
        ) : (
          <VirtualList
            id={listId}
            role="listbox"
            aria-label={label}
            className="min-w-0 flex-1 py-1"
            style={{ height: Math.min(items.length * rowHeight + 8, 360) }}
            items={items}
            itemKey={itemKey}
            rowHeight={rowHeight}
            activeIndex={active}
            renderRow={(item, index) => (
              <div
                id={`${listId}-${index}`}
                role="option"
                aria-selected={index === active}
                tabIndex={-1}
                className={cx(
                  "mx-1 flex h-full items-center gap-2 rounded-sm px-2",
                  index === active ? "bg-selected" : "hover:bg-hover",
                )}
                onClick={(event) => onPick(item, event.ctrlKey || event.metaKey)}
                onKeyDown={onKeyDown}
              >
                {renderItem(item, index === active)}
              </div>
            )}
          />
        )}
        {preview && activeItem !== undefined && (
          <div className="hidden h-90 w-80 shrink-0 overflow-hidden border-l border-line md:block">
            {preview(activeItem)}
          </div>
        )}
      </div>
      {footer !== undefined && (
        <div className="border-t border-line px-3 py-1.5 text-sm text-faint">{footer}</div>
      )}
    </>
  );
}
