import {
  CaseSensitive,
  ChevronRight,
  CopyMinus,
  CopyPlus,
  EyeOff,
  Ellipsis,
  Regex,
  ReplaceAll,
  Square,
  WholeWord,
  X,
} from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { IconButton } from "@/components";
import { cx } from "@/lib/cx";
import { plural } from "@/lib/format";

import { type SearchQuery, type TextSearch } from "../model/search";
import { useSession } from "../session/context";
import { Toggle } from "../Toggle";
import { useModel } from "../useModel";
import { replaceMatches } from "./replace";
import { Results } from "./Results";

const TYPING_MS = 200;

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
        data-focus-target={fieldRef ? true : undefined}
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
