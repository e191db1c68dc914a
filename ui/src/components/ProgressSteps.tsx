import { Check, ChevronRight, Circle, LoaderCircle, Minus, X } from "lucide-react";
import { type ReactNode } from "react";
import { cx } from "@/lib/cx";
import { type StepState } from "@/protocol/generated";

export interface ProgressStep {
  key: string;
  label: string;
  state: StepState;
  note?: string | undefined;
  /** Shown at the end: how long it took or has been taking. */
  time?: string | undefined;
  /** Folded under the step. */
  content?: ReactNode;
}

const WORDS: Record<StepState, string> = {
  waiting: "waiting",
  running: "under way",
  done: "done",
  skipped: "not needed",
  failed: "failed",
};

function StepIcon({ state }: { state: StepState }) {
  switch (state) {
    case "waiting":
      return <Circle size={16} className="text-line-strong" aria-hidden />;
    case "running":
      return <LoaderCircle size={16} className="animate-turn text-starting" aria-hidden />;
    case "done":
      return <Check size={16} className="text-running" aria-hidden />;
    case "skipped":
      return <Minus size={16} className="text-faint" aria-hidden />;
    case "failed":
      return <X size={16} className="text-failed" aria-hidden />;
  }
}

/** Steps one below the other, with state, time, and what each wrote folded under it. */
export function ProgressSteps({
  steps,
  open,
  onToggle,
}: {
  steps: readonly ProgressStep[];
  open: ReadonlySet<string>;
  onToggle: (key: string) => void;
}) {
  return (
    <ol className="flex flex-col">
      {steps.map((step) => {
        const expandable = step.content !== undefined;
        const expanded = expandable && open.has(step.key);
        const row = (
          <>
            <StepIcon state={step.state} />
            {/* A note that does not fit beside the label goes below it as a whole: a cluster's reasons are sentences. */}
            <span className="flex min-w-0 flex-1 flex-wrap items-baseline gap-x-2">
              <span
                className={cx(
                  step.state === "waiting" || step.state === "skipped" ? "text-faint" : "text-fg",
                )}
              >
                {step.label}
              </span>
              <span className="sr-only">{WORDS[step.state]}</span>
              {step.note !== undefined && (
                <span className="min-w-0 text-sm break-words text-faint">{step.note}</span>
              )}
            </span>
            <span className="shrink-0 text-sm text-muted tabular-nums">{step.time}</span>
            <ChevronRight
              size={14}
              aria-hidden
              className={cx(
                "text-faint transition-transform",
                expanded && "rotate-90",
                !expandable && "invisible",
              )}
            />
          </>
        );
        return (
          <li key={step.key} className="border-b border-line last:border-b-0">
            {expandable ? (
              <button
                type="button"
                aria-expanded={expanded}
                onClick={() => onToggle(step.key)}
                className="flex min-h-9 w-full items-center gap-2 rounded-sm px-2 py-1.5 text-left hover:bg-hover"
              >
                {row}
              </button>
            ) : (
              <div className="flex min-h-9 items-center gap-2 px-2 py-1.5">{row}</div>
            )}
            {expanded && <div className="px-2 pb-2 pl-8">{step.content}</div>}
          </li>
        );
      })}
    </ol>
  );
}
