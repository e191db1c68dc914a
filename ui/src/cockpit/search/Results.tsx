import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight, Replace, X } from "lucide-react";
import { useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { EmptyState, toastError } from "@/components";
import { cx } from "@/lib/cx";
import { type LineMatch } from "@/protocol/generated";
import { FileIcon } from "../explorer/icons";
import { basename, dirname, relative, shown } from "../model/path";
import { replacementOf, type SearchQuery, type SearchRow } from "../model/search";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import { replaceMatches } from "./replace";

const ROW_HEIGHT = 22;
const BEFORE_MATCH = 30;

/** What a search found, as a tree of files and lines. */
export function Results({ replacing }: { replacing: boolean }) {
  const session = useSession();
  const search = useModel(session.search);
  const { rows } = search;
  const viewport = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 16,
  });
  const index = Math.min(active, rows.length - 1);
  const move = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    virtualizer.scrollToIndex(next);
    const row = rows[next];
    if (row?.kind === "line") openMatch(row, true);
  };
  const openMatch = (row: Extract<SearchRow, { kind: "line" }>, quiet: boolean, keep = false) => {
    const range = row.match.ranges[0];
    session.groups.open(row.path, {
      quiet,
      keep,
      line: row.match.line,
      column: row.match.column + (range?.start ?? 0) + 1,
      endColumn: row.match.column + (range?.end ?? 0) + 1,
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[index];
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.shiftKey)
      session.fileUndo.undo().catch(toastError);
    else if (event.key === "ArrowDown") move(index + 1);
    else if (event.key === "ArrowUp") move(index - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(rows.length - 1);
    else if (event.key === "PageDown") move(index + 20);
    else if (event.key === "PageUp") move(index - 20);
    else if (event.key === "Enter" && row) {
      if (row.kind === "line") openMatch(row, false, true);
      else search.toggle(row.file.path);
    } else if (event.key === "ArrowLeft" && row) {
      if (row.kind === "file" && !row.collapsed) search.toggle(row.file.path);
      else if (row.kind === "line")
        move(rows.findLastIndex((other, at) => at < index && other.kind === "file"));
    } else if (event.key === "ArrowRight" && row?.kind === "file" && row.collapsed)
      search.toggle(row.file.path);
    else if (event.key === "Delete" && row) search.dismiss(row.kind === "file" ? row.file.path : row.path);
    else return;
    event.preventDefault();
  };
  if (rows.length === 0) {
    return search.state.kind === "idle" ? (
      <EmptyState title="Search in all files">Files that Git ignores are left out.</EmptyState>
    ) : null;
  }
  return (
    <div
      ref={viewport}
      role="tree"
      aria-label="Search results"
      aria-activedescendant={`result-${index}`}
      tabIndex={0}
      onKeyDown={onKeyDown}
      className="group/results min-h-0 flex-1 overflow-auto pb-6 focus-visible:outline-none"
    >
      <div role="presentation" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const focused = item.index === index;
          const common = {
            id: `result-${item.index}`,
            className: cx(
              "group/row flex h-full items-center gap-1.5 pr-1 whitespace-nowrap",
              focused
                ? "bg-active group-focus/results:bg-selected group-focus/results:outline group-focus/results:-outline-offset-1 group-focus/results:outline-focus"
                : "hover:bg-hover",
            ),
          };
          return (
            <div
              key={item.key}
              role="presentation"
              className="absolute inset-x-0 top-0"
              style={{ height: ROW_HEIGHT, transform: `translateY(${item.start}px)` }}
            >
              {row.kind === "file" ? (
                <FileRow
                  focused={focused}
                  row={row}
                  common={common}
                  replacing={replacing}
                  onUse={() => setActive(item.index)}
                />
              ) : (
                // The tree around it takes the keys.
                // eslint-disable-next-line jsx-a11y/click-events-have-key-events
                <div
                  role="treeitem"
                  tabIndex={-1}
                  aria-selected={focused}
                  {...common}
                  aria-level={2}
                  title={shown(row.match.text)}
                  onClick={() => {
                    setActive(item.index);
                    openMatch(row, true);
                  }}
                  onDoubleClick={() => openMatch(row, false, true)}
                >
                  <LineText match={row.match} query={search.query} replacing={replacing} />
                  <span className="ml-auto shrink-0 pl-2 text-xs text-faint tabular-nums">
                    {row.match.line}
                  </span>
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface FileRowProps {
  row: Extract<SearchRow, { kind: "file" }>;
  common: { id: string; className: string };
  focused: boolean;
  replacing: boolean;
  onUse: () => void;
}

function FileRow({ row, common, focused, replacing, onUse }: FileRowProps) {
  const session = useSession();
  const { path } = row.file;
  const folder = relative(session.inside.folder, dirname(path));
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- the tree around it takes the keys
    <div
      role="treeitem"
      tabIndex={-1}
      aria-selected={focused}
      {...common}
      aria-level={1}
      aria-expanded={!row.collapsed}
      title={shown(path)}
      style={{ paddingLeft: 6 }}
      onClick={() => {
        onUse();
        session.search.toggle(path);
      }}
    >
      <ChevronRight
        size={14}
        className={cx("shrink-0 text-faint transition-transform", !row.collapsed && "rotate-90")}
        aria-hidden
      />
      <FileIcon path={path} />
      <span className="shrink-0 text-fg">{shown(basename(path))}</span>
      <span className="min-w-0 truncate text-sm text-muted">
        {folder === session.inside.folder ? "" : shown(folder)}
      </span>
      <span className="ml-auto flex shrink-0 items-center gap-0.5">
        {replacing && (
          <button
            type="button"
            tabIndex={-1}
            aria-label={`Replace all in ${shown(basename(path))}`}
            className="hidden size-5 items-center justify-center rounded-sm text-muted group-hover/row:inline-flex hover:bg-active hover:text-fg"
            onClick={(event) => {
              event.stopPropagation();
              void replaceMatches(session, [path]);
            }}
          >
            <Replace size={12} aria-hidden />
          </button>
        )}
        <button
          type="button"
          tabIndex={-1}
          aria-label={`Dismiss ${shown(basename(path))}`}
          className="hidden size-5 items-center justify-center rounded-sm text-muted group-hover/row:inline-flex hover:bg-active hover:text-fg"
          onClick={(event) => {
            event.stopPropagation();
            session.search.dismiss(path);
          }}
        >
          <X size={12} aria-hidden />
        </button>
        <span className="min-w-4 rounded-full bg-active px-1.5 text-center text-xs text-muted tabular-nums">
          {row.count}
        </span>
      </span>
    </div>
  );
}

/** A matching line: cut at the left so that its first match is in view. */
function LineText({ match, query, replacing }: { match: LineMatch; query: SearchQuery; replacing: boolean }) {
  const first = match.ranges[0]?.start ?? 0;
  const indent = match.text.length - match.text.trimStart().length;
  const from = Math.max(Math.min(indent, first), first - BEFORE_MATCH);
  const parts: ReactNode[] = [];
  let at = from;
  for (const { start, end } of match.ranges) {
    if (start < at) continue;
    parts.push(shown(match.text.slice(at, start)));
    const text = match.text.slice(start, end);
    parts.push(
      replacing && query.replacement !== "" ? (
        <span key={start}>
          <del className="bg-failed-soft text-failed">{shown(text)}</del>
          <ins className="bg-running-soft text-running no-underline">{shown(replacementOf(query, text))}</ins>
        </span>
      ) : (
        <mark
          key={start}
          className="rounded-xs bg-starting-soft text-fg outline outline-1 -outline-offset-1 outline-starting/40"
        >
          {shown(text)}
        </mark>
      ),
    );
    at = end;
  }
  parts.push(shown(match.text.slice(at, at + 300)));
  return (
    <span className="min-w-0 truncate pl-8.5 text-muted">
      {from > indent && "…"}
      {parts}
    </span>
  );
}
