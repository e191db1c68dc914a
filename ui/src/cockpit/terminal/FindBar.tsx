import { ArrowDown, ArrowUp, CaseSensitive, Regex, WholeWord, X } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { IconButton } from "@/components";
import { cx } from "@/lib/cx";
import { tokenColour } from "../editor/theme";
import { Toggle } from "../Toggle";
import { type XtermScreen } from "./screen";

interface Query {
  text: string;
  caseSensitive: boolean;
  wholeWord: boolean;
  regex: boolean;
}

function oneLine(text: string): string {
  return text.includes("\n") ? "" : text;
}

function find(screen: XtermScreen, query: Query, forward: boolean, incremental: boolean): void {
  const { text, ...options } = query;
  if (text === "" || (query.regex && !isPattern(text))) {
    screen.search.clearDecorations();
    return;
  }
  const all = {
    ...options,
    incremental,
    decorations: {
      matchBackground: tokenColour("--code-selection"),
      matchOverviewRuler: tokenColour("--accent"),
      activeMatchBackground: tokenColour("--starting"),
      activeMatchColorOverviewRuler: tokenColour("--starting"),
    },
  };
  if (forward) screen.search.findNext(text, all);
  else screen.search.findPrevious(text, all);
}

/** Finds in a terminal's output. */
export function FindBar({ screen, onClose }: { screen: XtermScreen; onClose: () => void }) {
  const [query, setQuery] = useState<Query>(() => ({
    text: oneLine(screen.terminal.getSelection()),
    caseSensitive: false,
    wholeWord: false,
    regex: false,
  }));
  const [found, setFound] = useState<{ index: number; count: number }>();
  const input = useRef<HTMLInputElement>(null);
  const broken = query.regex && !isPattern(query.text);

  useEffect(() => {
    const subscription = screen.search.onDidChangeResults(({ resultIndex, resultCount }) =>
      setFound({ index: resultIndex, count: resultCount }),
    );
    input.current?.focus();
    input.current?.select();
    return () => {
      subscription.dispose();
      screen.search.clearDecorations();
    };
  }, [screen]);

  useEffect(() => find(screen, query, false, true), [screen, query]);

  const change = (part: Partial<Query>) => setQuery({ ...query, ...part });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") find(screen, query, event.shiftKey, false);
    else if (event.key === "Escape") onClose();
    else return;
    event.preventDefault();
  };
  return (
    <div
      role="search"
      aria-label="Find in terminal"
      className="absolute top-1 right-4 z-10 flex h-9 items-center gap-0.5 rounded-md border border-line bg-raised px-1 shadow-pop"
    >
      <input
        ref={input}
        aria-label="Find"
        placeholder="Find"
        value={query.text}
        spellCheck={false}
        onChange={(event) => change({ text: event.target.value })}
        onKeyDown={onKeyDown}
        className={cx(
          "h-6 w-44 rounded-sm border bg-canvas px-1.5 text-base outline-none focus-visible:outline-none",
          broken ? "border-failed" : "border-line-strong focus:border-focus",
        )}
      />
      <Toggle
        label="Match case"
        on={query.caseSensitive}
        onChange={(caseSensitive) => change({ caseSensitive })}
        icon={<CaseSensitive size={16} />}
      />
      <Toggle
        label="Match whole word"
        on={query.wholeWord}
        onChange={(wholeWord) => change({ wholeWord })}
        icon={<WholeWord size={16} />}
      />
      <Toggle
        label="Use regular expression"
        on={query.regex}
        onChange={(regex) => change({ regex })}
        icon={<Regex size={16} />}
      />
      <span className="w-20 px-1 text-center text-sm text-muted tabular-nums" role="status">
        {query.text === ""
          ? ""
          : broken
            ? "Not a pattern"
            : found && found.count > 0
              ? `${found.index + 1} of ${found.count}`
              : "No results"}
      </span>
      <IconButton
        size="small"
        label="Previous match"
        keys="Enter"
        icon={<ArrowUp size={14} />}
        onClick={() => find(screen, query, false, false)}
      />
      <IconButton
        size="small"
        label="Next match"
        keys="Shift+Enter"
        icon={<ArrowDown size={14} />}
        onClick={() => find(screen, query, true, false)}
      />
      <IconButton size="small" label="Close" keys="Escape" icon={<X size={14} />} onClick={onClose} />
    </div>
  );
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
