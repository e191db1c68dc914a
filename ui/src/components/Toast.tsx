import { CircleAlert, Info, X } from "lucide-react";
import { useEffect, useState } from "react";
import { create } from "zustand";
import { toCallError } from "@/client";
import { Button, IconButton } from "./Button";

export interface ToastContent {
  message: string;
  hint?: string | undefined;
  tone?: "info" | "failed";
  /** A message takes the place of the one before it on the same topic. */
  topic?: string;
  /** At most one thing to do, usually Undo. */
  action?: { label: string; run: () => void };
}

interface Shown extends ToastContent {
  id: number;
}

const SHOWN_MS = 8_000;
const FAILED_SHOWN_MS = 30_000;
/** Messages shown at a time. */
const MOST = 3;
let nextId = 1;

const useToasts = create<{ shown: Shown[] }>(() => ({ shown: [] }));

/**
 * Shows a short message in the corner. Rare: progress and results belong to the thing they concern. The returned
 * function takes it away.
 */
export function toast(content: ToastContent): () => void {
  const id = nextId++;
  const { topic } = content;
  useToasts.setState(({ shown }) => {
    const others = topic === undefined ? shown : shown.filter((entry) => entry.topic !== topic);
    return { shown: [...others.slice(1 - MOST), { ...content, id }] };
  });
  return () => dismiss(id);
}

/** Shows that an action failed: for results that have no place of their own. */
export function toastError(cause: unknown): void {
  const { message, hint, code } = toCallError(cause);
  if (code !== "cancelled") toast({ message, hint, tone: "failed" });
}

function dismiss(id: number): void {
  useToasts.setState(({ shown }) => ({ shown: shown.filter((entry) => entry.id !== id) }));
}

export function Toasts() {
  const shown = useToasts((state) => state.shown);
  return (
    <div
      role="region"
      aria-label="Messages"
      aria-live="polite"
      className="pointer-events-none fixed right-3 bottom-9 z-50 flex w-90 max-w-[calc(100vw-24px)] flex-col gap-2"
    >
      {shown.map((entry) => (
        <ToastItem key={entry.id} entry={entry} />
      ))}
    </div>
  );
}

function ToastItem({ entry }: { entry: Shown }) {
  const failed = entry.tone === "failed";
  // While it is read, or its button is about to be pressed, it stays.
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = window.setTimeout(() => dismiss(entry.id), failed ? FAILED_SHOWN_MS : SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [entry.id, failed, held]);
  return (
    <div
      role={failed ? "alert" : "status"}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="pointer-events-auto flex animate-rise items-start gap-2 rounded-md border border-line bg-raised py-2 pr-2 pl-3 shadow-pop"
    >
      {failed ? (
        <CircleAlert size={16} className="mt-0.5 shrink-0 text-failed" aria-hidden />
      ) : (
        <Info size={16} className="mt-0.5 shrink-0 text-muted" aria-hidden />
      )}
      <div className="min-w-0 flex-1 self-center break-words">
        <p className="text-fg">{entry.message}</p>
        {entry.hint !== undefined && <p className="text-sm text-muted">{entry.hint}</p>}
      </div>
      {entry.action && (
        <Button
          size="small"
          onClick={() => {
            entry.action?.run();
            dismiss(entry.id);
          }}
        >
          {entry.action.label}
        </Button>
      )}
      <IconButton label="Dismiss" icon={<X size={14} />} size="small" onClick={() => dismiss(entry.id)} />
    </div>
  );
}
