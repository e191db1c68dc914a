import { RotateCw, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { fromApiError, useAction, useCall } from "@/client";
import { Button, ErrorState, ProgressSteps, StateLabel, toastError, VirtualList } from "@/components";
import { DeleteDialog } from "@/dashboard/DeleteDialog";
import { EngineBadge } from "@/dashboard/EngineBadge";
import { formatDuration } from "@/lib/format";
import { useNow } from "@/lib/time";
import { type PlanStep, type StepKind, type Workspace } from "@/protocol/generated";
import { allows, sourceText, STATE_TONES, STATE_WORDS } from "@/state/workspaces";
import { stepLabel } from "./steps";

const LOG_ROW = 18;

/** A workspace being made: its steps with time, what each writes, and a way to stop or to try again. */
export function CreationView({ workspace }: { workspace: Workspace }) {
  const now = useNow(100);
  const cancel = useAction("workspace.cancel");
  const retry = useAction("workspace.retry");
  const [deleting, setDeleting] = useState(false);
  const [toggled, setToggled] = useState<Partial<Record<StepKind, boolean>>>({});
  const logs = useStepLogs(workspace);
  const steps = workspace.plan?.steps ?? [];
  const error = workspace.plan?.error;
  // Its files are there already, and stay whatever happens.
  const recreates = workspace.plan?.recreates === true;
  const active = steps.find((step) => step.state === "running" || step.state === "failed");
  // The step under way, or the one that failed, shows what it writes, unless it was folded by hand.
  const open = new Set<string>(
    steps.filter((step) => toggled[step.kind] ?? step.kind === active?.kind).map((step) => step.kind),
  );

  return (
    <div className="h-full overflow-auto">
      <div className="mx-auto flex max-w-180 flex-col gap-4 px-4 py-8">
        <header className="flex flex-wrap items-start gap-3">
          <div className="min-w-0 flex-1 basis-60">
            <h1 className="truncate text-xl font-semibold">{workspace.name}</h1>
            <p className="truncate text-muted">{sourceText(workspace)}</p>
          </div>
          <div className="flex items-center gap-3">
            <EngineBadge id={workspace.engine} />
            <span role="status">
              <StateLabel tone={STATE_TONES[workspace.state]} moving={workspace.state === "creating"}>
                {STATE_WORDS[workspace.state]}
              </StateLabel>
            </span>
          </div>
        </header>

        <div className="rounded-md border border-line">
          <ProgressSteps
            open={open}
            onToggle={(key) => setToggled({ ...toggled, [key]: !open.has(key) })}
            steps={steps.map((step) => {
              const lines = logs.get(step.kind);
              return {
                key: step.kind,
                label: stepLabel(step.kind, step.state),
                state: step.state,
                note: step.note,
                time: stepTime(step, now),
                content: lines && lines.length > 0 ? <StepLog lines={lines} label={step.kind} /> : undefined,
              };
            })}
          />
        </div>

        {error && (
          <ErrorState
            title={
              recreates
                ? `The container of ${workspace.name} could not be recreated`
                : `${workspace.name} could not be created`
            }
            error={fromApiError(error)}
            compact
          />
        )}
        {!error && workspace.message !== undefined && (
          <p className="break-words text-muted select-text">{workspace.message}</p>
        )}

        <div className="flex flex-wrap justify-between gap-2">
          <p className="text-sm text-faint tabular-nums">{total(steps, now)}</p>
          <div className="flex gap-2">
            {allows(workspace.state, "cancel") && (
              <Button
                busy={cancel.isPending}
                onClick={() => cancel.mutate({ workspace: workspace.id }, { onError: toastError })}
              >
                {recreates ? "Cancel" : "Cancel and clean up"}
              </Button>
            )}
            {workspace.state === "failed" && (
              <Button icon={<Trash2 size={14} />} onClick={() => setDeleting(true)}>
                Delete
              </Button>
            )}
            {allows(workspace.state, "retry") && (
              <Button
                kind="primary"
                icon={<RotateCw size={14} />}
                busy={retry.isPending}
                onClick={() => retry.mutate({ workspace: workspace.id }, { onError: toastError })}
              >
                Try again from here
              </Button>
            )}
          </div>
        </div>
      </div>
      <DeleteDialog workspaces={deleting ? [workspace] : []} onClose={() => setDeleting(false)} />
    </div>
  );
}

function useStepLogs(workspace: Workspace): Map<StepKind, string[]> {
  const entries = useCall("workspace.plan_log", { workspace: workspace.id }).data;
  return useMemo(() => {
    const byStep = new Map<StepKind, string[]>();
    for (const { step, lines } of entries ?? []) {
      const known = byStep.get(step);
      if (known) known.push(...lines);
      else byStep.set(step, [...lines]);
    }
    return byStep;
  }, [entries]);
}

function StepLog({ lines, label }: { lines: readonly string[]; label: string }) {
  return (
    <VirtualList
      role="log"
      aria-label={`Output of the step ${label}`}
      tabIndex={0}
      className="rounded-sm border border-line bg-code-bg p-1 font-mono text-sm text-muted select-text"
      style={{ height: Math.min(lines.length, 14) * LOG_ROW + 10 }}
      items={lines}
      itemKey={(_, index) => index}
      rowHeight={LOG_ROW}
      follow
      renderRow={(line) => <div className="px-1 leading-[18px] whitespace-pre">{line}</div>}
    />
  );
}

function stepTime(step: PlanStep, now: number): string | undefined {
  if (step.duration_ms !== undefined) return formatDuration(step.duration_ms);
  if (step.state !== "running" || step.started_ms === undefined) return undefined;
  return formatDuration(Math.max(0, now - step.started_ms));
}

function total(steps: readonly PlanStep[], now: number): string {
  const spent = steps.reduce((sum, step) => {
    if (step.duration_ms !== undefined) return sum + step.duration_ms;
    return step.state === "running" && step.started_ms !== undefined
      ? sum + Math.max(0, now - step.started_ms)
      : sum;
  }, 0);
  return spent > 0 ? `${formatDuration(spent)} so far` : "";
}
