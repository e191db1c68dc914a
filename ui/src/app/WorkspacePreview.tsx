import { FileText, GitBranch } from "lucide-react";
import { Sparkline } from "@/components";
import { EngineBadge } from "@/dashboard/EngineBadge";
import { WorkspaceStateLabel } from "@/dashboard/WorkspaceStateLabel";
import { formatBytes, formatPercent } from "@/lib/format";
import { type Workspace } from "@/protocol/generated";
import { usePreview } from "@/state/preview";
import { useSamples } from "@/state/samples";
import { sourceText } from "@/state/workspaces";

/** What is known of a workspace at a glance, for the switcher. */
export function WorkspacePreview({ workspace }: { workspace: Workspace }) {
  const running = workspace.state === "running";
  const samples = useSamples(workspace.id, running);
  const preview = usePreview(workspace.id);
  const newest = samples.at(-1) ?? workspace.sample;
  return (
    <div className="flex h-full flex-col gap-3 p-3">
      <div className="flex flex-wrap items-center gap-2">
        <WorkspaceStateLabel workspace={workspace} />
        <EngineBadge id={workspace.engine} />
      </div>
      <div className="flex flex-col gap-1 text-sm text-muted">
        <span className="truncate">{sourceText(workspace)}</span>
        {workspace.branch !== undefined && (
          <span className="flex items-center gap-1">
            <GitBranch size={14} className="text-faint" aria-hidden />
            <span className="truncate">{workspace.branch}</span>
          </span>
        )}
        {preview.file !== undefined && (
          <span className="flex items-center gap-1">
            <FileText size={14} className="text-faint" aria-hidden />
            <span className="truncate">{preview.file}</span>
          </span>
        )}
      </div>
      {!running && workspace.message !== undefined && (
        <p className="text-sm break-words text-muted">{workspace.message}</p>
      )}
      {running && newest && (
        <div className="flex gap-4 text-sm text-muted tabular-nums">
          <span className="flex flex-col gap-1">
            CPU {formatPercent(newest.cpu_percent)}
            <Sparkline
              points={samples.map((sample) => ({ at: sample.at_ms, value: sample.cpu_percent }))}
              max={100}
              label="CPU of the last two minutes"
            />
          </span>
          <span className="flex flex-col gap-1">
            Memory {formatBytes(newest.memory_bytes)}
            <Sparkline
              points={samples.map((sample) => ({ at: sample.at_ms, value: sample.memory_bytes }))}
              max={workspace.spec.limits.memory_bytes}
              label="Memory of the last two minutes"
            />
          </span>
        </div>
      )}
      {preview.lines.length > 0 && (
        <pre
          aria-label="The last terminal's screen"
          className="min-h-0 flex-1 overflow-hidden rounded-sm border border-line bg-code-bg p-2 font-mono text-[9px] leading-3 text-muted"
        >
          {preview.lines.slice(-14).join("\n")}
        </pre>
      )}
    </div>
  );
}
