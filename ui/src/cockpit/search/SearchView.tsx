import { useVirtualizer } from "@tanstack/react-virtual";
import {
  CaseSensitive,
  ChevronRight,
  CopyMinus,
  CopyPlus,
  EyeOff,
  Ellipsis,
  Regex,
  Replace,
  ReplaceAll,
  Square,
  WholeWord,
  X,
} from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { EmptyState, IconButton } from "@/components";
import { cx } from "@/lib/cx";
import { plural } from "@/lib/format";
import { type LineMatch } from "@/protocol/generated";
import { FileIcon } from "../explorer/icons";
import { basename, dirname, relative, shown } from "../model/path";
import { replacementOf, type SearchQuery, type SearchRow, type TextSearch } from "../model/search";
import { useSession } from "../session/context";
import { Toggle } from "../Toggle";
import { useModel } from "../useModel";
import { replaceMatches } from "./replace";

const ROW_HEIGHT = 22;
const TYPING_MS = 200;
const BEFORE_MATCH = 30;

export function SearchView() {
  const session = useSession();
  const search = useModel(session.search);
  const { query, state } = search;
  const [details, setDetails] = useState(query.include !== "" || query.exclude !== "");
  const [replacing, setReplacing] = useState(false);
  const pattern = useRef<HTMLTextAreaElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const change = (part: Partial<SearchQuery>) => {
    search.setQuery(part);
    session.layout.update({ query: search.query });
    clearTimeout(timer.current);
    if (Object.keys(part).every((key) => key === "replacement")) return;
    timer.current = setTimeout(() => search.start(), TYPING_MS);
  };
  const { searchRequest: request } = session;
  const begin = useEffectEvent(() => {
    const text = session.takeSearchText();
    if (text !== undefined && text !== "") change({ pattern: text });
    pattern.current?.focus();
    pattern.current?.select();
  });
  useEffect(() => {
    if (request > 0) begin();
  }, [request]);

  const now = () => {
    clearTimeout(timer.current);
    search.start();
  };
  const onEnter = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    now();
  };
  const replaceAll = () => void replaceMatches(session, search.paths);
  const canReplace = search.fileCount > 0 && state.kind !== "running";

  return (
    <section aria-label="Search" className="flex h-full min-h-0 flex-col">
      <header className="flex h-9 shrink-0 items-center gap-0.5 pr-2 pl-3">
        <h2 className="flex-1 text-sm font-semibold text-muted">Search</h2>
        {state.kind === "running" ? (
          <IconButton
            size="small"
            label="Stop the search"
            icon={<Square size={12} />}
            onClick={() => search.cancel()}
          />
        ) : (
          <IconButton
            size="small"
            label="Clear results"
            icon={<X size={14} />}
            disabled={query.pattern === ""}
            onClick={() => {
              change({ pattern: "" });
              now();
            }}
          />
        )}
        <IconButton
          size="small"
          label={search.anyExpanded ? "Collapse all files" : "Expand all files"}
          icon={search.anyExpanded ? <CopyMinus size={14} /> : <CopyPlus size={14} />}
          disabled={search.fileCount === 0}
          onClick={() => search.setAllCollapsed(search.anyExpanded)}
        />
      </header>
      <div className="flex shrink-0 gap-1 pr-3 pb-2 pl-1">
        <button
          type="button"
          aria-label={replacing ? "Hide replace" : "Show replace"}
          aria-expanded={replacing}
          onClick={() => setReplacing(!replacing)}
          className="flex w-5 shrink-0 items-center justify-center rounded-sm text-muted hover:bg-hover hover:text-fg"
        >
          <ChevronRight
            size={14}
            className={cx("transition-transform", replacing && "rotate-90")}
            aria-hidden
          />
        </button>
        <div className="flex min-w-0 flex-1 flex-col gap-1.5">
          <SearchField
            label="Search for"
            placeholder="Search"
            fieldRef={pattern}
            value={query.pattern}
            onChange={(text) => change({ pattern: text })}
            onKeyDown={onEnter}
            invalid={state.kind === "failed"}
          >
            <Toggle
              label="Match case"
              icon={<CaseSensitive size={16} />}
              on={query.caseSensitive}
              onChange={(caseSensitive) => change({ caseSensitive })}
            />
            <Toggle
              label="Match whole word"
              icon={<WholeWord size={16} />}
              on={query.wholeWord}
              onChange={(wholeWord) => change({ wholeWord })}
            />
            <Toggle
              label="Use regular expression"
              icon={<Regex size={16} />}
              on={query.regex}
              onChange={(regex) => change({ regex })}
            />
          </SearchField>
          {replacing && (
            <div className="flex gap-1">
              <SearchField
                label="Replace with"
                placeholder="Replace"
                value={query.replacement}
                onChange={(replacement) => change({ replacement })}
              />
              <IconButton
                label="Replace all"
                icon={<ReplaceAll size={16} />}
                disabled={!canReplace}
                onClick={replaceAll}
              />
            </div>
          )}
          {details ? (
            <>
              <SearchField
                label="Files to include"
                placeholder="Files to include: src, *.rs"
                value={query.include}
                onChange={(include) => change({ include })}
                onKeyDown={onEnter}
              />
              <SearchField
                label="Files to leave out"
                placeholder="Files to leave out"
                value={query.exclude}
                onChange={(exclude) => change({ exclude })}
                onKeyDown={onEnter}
              >
                <Toggle
                  label="Search ignored and hidden files too"
                  icon={<EyeOff size={14} />}
                  on={query.includeIgnored}
                  onChange={(includeIgnored) => change({ includeIgnored })}
                />
              </SearchField>
            </>
          ) : null}
        </div>
      </div>
      <div className="flex h-6 shrink-0 items-center gap-2 pr-2 pl-3 text-sm text-muted">
        <p role="status" className="min-w-0 flex-1 truncate tabular-nums">
          <Summary search={search} />
        </p>
        <IconButton
          size="small"
          label={details ? "Hide file filters" : "Show file filters"}
          icon={<Ellipsis size={14} />}
          pressed={details}
          onClick={() => setDetails(!details)}
        />
      </div>
      {state.kind === "failed" && (
        <p
          role="alert"
          className="mx-3 mb-2 rounded-sm bg-failed-soft px-2 py-1 text-sm break-words whitespace-pre-wrap text-fg select-text"
        >
          {state.message}
        </p>
      )}
      <Results replacing={replacing} />
    </section>
  );
}

function Summary({ search }: { search: TextSearch }): ReactNode {
  const { state, matchCount, fileCount } = search;
  const found = `${plural(matchCount, "match", "matches")} in ${plural(fileCount, "file")}`;
  switch (state.kind) {
    case "idle":
    case "failed":
      return null;
    case "running":
      return matchCount === 0 ? "Searching…" : `${found}, searching…`;
    case "cancelled":
      return `${found}, stopped`;
    case "done":
      if (matchCount === 0) return "No matches";
      return state.limited ? `First ${found}; narrow the search for the rest` : found;
  }
}

interface SearchFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (text: string) => void;
  onKeyDown?: (event: KeyboardEvent) => void;
  invalid?: boolean;
  fieldRef?: React.Ref<HTMLTextAreaElement>;
  children?: ReactNode;
}

/** A field of one line, or of as many as are typed with Shift+Enter. */
function SearchField({
  label,
  placeholder,
  value,
  onChange,
  onKeyDown,
  invalid,
  fieldRef,
  children,
}: SearchFieldProps) {
  const lines = Math.min(6, value.split("\n").length);
  return (
    <span
      className={cx(
        "flex min-h-7 min-w-0 flex-1 items-start gap-0.5 rounded-md border bg-canvas py-px pr-0.5 pl-2 focus-within:border-focus focus-within:outline focus-within:outline-1 focus-within:outline-focus",
        invalid === true ? "border-failed" : "border-line-strong",
      )}
    >
      <textarea
        ref={fieldRef}
        aria-label={label}
        placeholder={placeholder}
        rows={lines}
        value={value}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          onKeyDown?.(event);
          if (event.key === "Enter" && !event.shiftKey) event.preventDefault();
        }}
        className="min-w-0 flex-1 resize-none overflow-hidden bg-transparent py-[3px] text-base leading-[18px] whitespace-pre text-fg outline-none focus-visible:outline-none"
      />
      {children !== undefined && <span className="flex h-6 items-center gap-px">{children}</span>}
    </span>
  );
}

function Results({ replacing }: { replacing: boolean }) {
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
    if (event.key === "ArrowDown") move(index + 1);
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
      <span className="min-w-0 truncate text-sm text-faint">
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
