import { Check, CircleAlert, Copy } from "lucide-react";
import { type ReactNode, useState } from "react";
import { toCallError } from "@/client";
import { cx } from "@/lib/cx";
import { useDelayed } from "@/lib/time";
import { Button } from "./Button";
import { Fold } from "./Fold";

/** A list or panel with nothing in it: what this is, and the one thing to do. */
export function EmptyState({
  icon,
  title,
  heading: Heading = "h2",
  children,
  action,
}: {
  icon?: ReactNode;
  title: string;
  /** `h1` where it fills the whole view. */
  heading?: "h1" | "h2";
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="mx-auto flex max-w-100 flex-col items-center gap-2 px-4 py-10 text-center">
      {icon !== undefined && <span className="text-faint">{icon}</span>}
      <Heading className="text-base font-semibold text-fg">{title}</Heading>
      {children !== undefined && <div className="text-base text-muted">{children}</div>}
      {action !== undefined && <div className="mt-2">{action}</div>}
    </div>
  );
}

/** An error in place of content: what happened to what, what to do, and the raw cause folded. */
export function ErrorState({
  error,
  title,
  onRetry,
  retryLabel = "Try again",
  actions,
  compact = false,
}: {
  error: unknown;
  /** What was tried, for instance "The list of workspaces could not be read". */
  title?: string;
  onRetry?: (() => void) | undefined;
  retryLabel?: string;
  actions?: ReactNode;
  compact?: boolean;
}) {
  const { message, hint, detail } = toCallError(error);
  return (
    <div
      role="alert"
      className={cx(
        "flex gap-2 rounded-md border border-line bg-surface p-3 text-left",
        !compact && "mx-auto w-full max-w-140",
      )}
    >
      <CircleAlert size={16} className="mt-0.5 shrink-0 text-failed" aria-hidden />
      <div className="flex min-w-0 flex-1 flex-col gap-1">
        {title !== undefined && <p className="font-semibold text-fg">{title}</p>}
        <p
          className={cx(
            "break-words select-text",
            title === undefined ? "font-medium text-fg" : "text-muted",
          )}
        >
          {message}
        </p>
        {hint !== undefined && <p className="break-words text-muted select-text">{hint}</p>}
        {detail !== undefined && <Details text={detail} />}
        {(onRetry !== undefined || actions !== undefined) && (
          <div className="mt-1 flex flex-wrap gap-2">
            {onRetry && (
              <Button size="small" onClick={onRetry}>
                {retryLabel}
              </Button>
            )}
            {actions}
          </div>
        )}
      </div>
    </div>
  );
}

/** Text of a machine's, folded, with a button that copies it. */
export function Details({ text, label = "Details" }: { text: string; label?: string }) {
  return (
    <Fold small label={label}>
      <div className="relative">
        <pre
          // Scrollable text must be reachable by keyboard.
          tabIndex={0}
          className="max-h-60 overflow-auto rounded-sm border border-line bg-canvas p-2 pr-9 font-mono text-sm whitespace-pre-wrap text-fg"
        >
          {text}
        </pre>
        <CopyButton text={text} className="absolute top-1 right-1 bg-canvas" />
      </div>
    </Fold>
  );
}

export function CopyButton({ text, className }: { text: string; className?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      aria-label={copied ? "Copied" : "Copy"}
      title={copied ? "Copied" : "Copy"}
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => {
          setCopied(true);
          window.setTimeout(() => setCopied(false), 1500);
        });
      }}
      className={cx(
        "inline-flex size-6 items-center pointer-coarse:size-8 justify-center rounded-sm text-muted hover:bg-hover hover:text-fg",
        className,
      )}
    >
      {copied ? <Check size={14} className="text-running" aria-hidden /> : <Copy size={14} aria-hidden />}
    </button>
  );
}

/** A command to run elsewhere, with a button that copies it. */
export function CommandLine({ command }: { command: string }) {
  return (
    <div className="flex items-center gap-1 rounded-md border border-line bg-canvas py-0.5 pr-0.5 pl-2 text-left">
      <code
        // Scrollable text must be reachable by keyboard.
        tabIndex={0}
        className="min-w-0 flex-1 overflow-x-auto font-mono text-sm whitespace-nowrap text-fg select-text"
      >
        {command}
      </code>
      <CopyButton text={command} />
    </div>
  );
}

/** Shows `fallback` once loading has lasted 150 ms, and nothing before. */
export function Loading({ children }: { children: ReactNode }) {
  return useDelayed(true) ? (
    <div role="status" aria-label="Loading" className="contents">
      {children}
    </div>
  ) : null;
}

/** A grey place where something will be. */
export function Skeleton({ className }: { className?: string }) {
  return <div className={cx("animate-breathe rounded-sm bg-hover", className)} aria-hidden />;
}
