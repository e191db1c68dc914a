import { CircleAlert, Lock, TriangleAlert } from "lucide-react";
import { type ReactNode } from "react";
import { Button } from "@/components";
import { cx } from "@/lib/cx";
import { formatBytes } from "@/lib/format";
import { EDITABLE_TO, type ReadOnlyReason, type TextDocument } from "../model/document";
import { useSession } from "../session/context";

/** Why the text cannot be changed here, and what to do where that is needed. */
function readOnlyText(reason: ReadOnlyReason, size: number): string {
  switch (reason) {
    case "invalid_utf8":
      return "This file holds bytes that are not UTF-8; they are shown as �. It is read-only here, because saving would change them.";
    case "utf16":
      return "This file is UTF-16. It is shown read-only, because saving would change its encoding.";
    case "permission":
      return "You may not write this file. It is shown read-only.";
    case "large":
      return `This file has ${formatBytes(size)}. Files above ${formatBytes(EDITABLE_TO)} are shown read-only and without colours; change them with a program in a terminal.`;
  }
}

function Bar({
  tone,
  icon,
  children,
  actions,
}: {
  tone: "info" | "warning" | "failed";
  icon: ReactNode;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div
      role={tone === "info" ? "status" : "alert"}
      className={cx(
        "flex min-h-8 shrink-0 flex-wrap items-center gap-2 border-b border-line px-3 py-1 text-base text-fg",
        tone === "info" && "bg-surface",
        tone === "warning" && "bg-starting-soft",
        tone === "failed" && "bg-failed-soft",
      )}
    >
      <span
        className={cx(
          "shrink-0",
          tone === "info" ? "text-muted" : tone === "warning" ? "text-starting" : "text-failed",
        )}
      >
        {icon}
      </span>
      <span className="min-w-0 flex-1 select-text">{children}</span>
      {actions !== undefined && <span className="flex shrink-0 gap-1.5">{actions}</span>}
    </div>
  );
}

/** What a person must know of the file in view, with what can be done; the text stays usable beneath. */
export function DocumentBars({ document }: { document: TextDocument }) {
  const session = useSession();
  const { conflict, saveError, readOnly, content } = document;
  if (content.kind !== "text") return null;
  return (
    <>
      {conflict?.kind === "changed" && (
        <Bar
          tone="warning"
          icon={<TriangleAlert size={16} aria-hidden />}
          actions={
            <>
              <Button
                size="small"
                onClick={() => session.groups.open(document.path, { mode: "diff", keep: true })}
              >
                Compare
              </Button>
              <Button size="small" onClick={() => void document.reload()}>
                Reload from disk
              </Button>
              <Button size="small" kind="primary" onClick={() => void document.save(true)}>
                Overwrite
              </Button>
            </>
          }
        >
          The file changed on disk. Your text is kept here and was not written.
        </Bar>
      )}
      {conflict?.kind === "deleted" && (
        <Bar
          tone="warning"
          icon={<TriangleAlert size={16} aria-hidden />}
          actions={
            <Button size="small" kind="primary" onClick={() => void document.save(true)}>
              Save it again
            </Button>
          }
        >
          The file was deleted on disk. Its text is still here.
        </Bar>
      )}
      {saveError !== undefined && (
        <Bar
          tone="failed"
          icon={<CircleAlert size={16} aria-hidden />}
          actions={
            <Button size="small" onClick={() => void document.save()}>
              Try again
            </Button>
          }
        >
          Not saved: {saveError} Your text is kept.
        </Bar>
      )}
      {readOnly !== undefined && (
        <Bar tone="info" icon={<Lock size={14} aria-hidden />}>
          {readOnlyText(readOnly, document.stat?.size ?? 0)}
        </Bar>
      )}
    </>
  );
}
