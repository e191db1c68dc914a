import { CircleAlert, Info, X } from "lucide-react";
import { useEffect } from "react";
import { create } from "zustand";
import { toCallError } from "@/client";
import { Button, IconButton } from "./Button";

export interface ToastContent {
  message: string;
  hint?: string | undefined;
  tone?: "info" | "failed";
  /** At most one thing to do, usually Undo. */
  action?: { label: string; run: () => void };
}

interface Shown extends ToastContent {
  id: number;
}

const SHOWN_MS = 8_000;
let nextId = 1;

const useToasts = create<{ shown: Shown[] }>(() => ({ shown: [] }));

/** Shows a short message in the corner. Rare: progress and results belong to the thing they concern. */
export function toast(content: ToastContent): void {
  const id = nextId++;
  useToasts.setState(({ shown }) => ({ shown: [...shown.slice(-2), { ...content, id }] }));
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
  useEffect(() => {
    const timer = window.setTimeout(() => dismiss(entry.id), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [entry.id]);
  const failed = entry.tone === "failed";
  return (
    <div
      role={failed ? "alert" : "status"}
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
