import { useVirtualizer } from "@tanstack/react-virtual";
import { type HTMLAttributes, type ReactNode, useEffect, useRef } from "react";
import { cx } from "@/lib/cx";

export interface VirtualListProps<T> extends Omit<HTMLAttributes<HTMLDivElement>, "children"> {
  items: readonly T[];
  itemKey: (item: T, index: number) => string | number;
  /** Height of a row in pixels; all rows are of one height. */
  rowHeight: number;
  renderRow: (item: T, index: number) => ReactNode;
  /** Kept in view whenever it changes. */
  activeIndex?: number | undefined;
  /** Stays at the end as rows arrive, as long as the end is in view. */
  follow?: boolean;
  overscan?: number;
}

/** A scrolling list that draws only what is in view. Roles and keys are the caller's. */
export function VirtualList<T>({
  items,
  itemKey,
  rowHeight,
  renderRow,
  activeIndex,
  follow = false,
  overscan = 12,
  className,
  ...rest
}: VirtualListProps<T>) {
  const viewport = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : itemKey(item, index);
    },
    overscan,
  });
  useEffect(() => {
    if (activeIndex !== undefined && activeIndex >= 0) virtualizer.scrollToIndex(activeIndex);
  }, [activeIndex, virtualizer]);
  useEffect(() => {
    if (follow && atEnd.current && items.length > 0) virtualizer.scrollToIndex(items.length - 1);
  }, [follow, items.length, virtualizer]);
  return (
    <div
      ref={viewport}
      className={cx("overflow-auto", className)}
      onScroll={(event) => {
        const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
        atEnd.current = scrollTop + clientHeight >= scrollHeight - rowHeight;
      }}
      {...rest}
    >
      <div role="presentation" style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
        {virtualizer.getVirtualItems().map((row) => {
          const item = items[row.index];
          return (
            item !== undefined && (
              <div
                key={row.key}
                role="presentation"
                style={{
                  position: "absolute",
                  insetInline: 0,
                  height: rowHeight,
                  top: 0,
                  transform: `translateY(${row.start}px)`,
                }}
              >
                {renderRow(item, row.index)}
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
