import { ArrowDown, ArrowUp } from "lucide-react";
import { Sparkline, Tooltip } from "@/components";
import { formatBytes, formatPercent } from "@/lib/format";
import { type Sample, type Workspace } from "@/protocol/generated";
import { useSamples } from "@/state/samples";

// One busy core fills a quarter of the height at least: an idle workspace should look idle.
const LEAST_CPU = 25;

interface Use {
  samples: readonly Sample[];
  newest: Sample | undefined;
  /** The limit that was asked for; where none was, engines report the whole machine's memory. */
  memoryLimit: number | undefined;
}

export function useUse(workspace: Workspace): Use {
  const samples = useSamples(workspace.id, workspace.state === "running");
  return {
    samples,
    newest: samples.at(-1) ?? workspace.sample,
    memoryLimit: workspace.spec.limits.memory_bytes,
  };
}

interface LineProps {
  use: Use;
  width?: number;
  /** Without the word: a table's head says it. */
  bare?: boolean;
}

export function CpuLine({ use: { samples, newest }, width, bare = false }: LineProps) {
  return (
    <Figure word={bare ? "" : "CPU"} figure={newest && formatPercent(newest.cpu_percent)}>
      <Sparkline
        points={samples.map((sample) => ({ at: sample.at_ms, value: sample.cpu_percent }))}
        max={LEAST_CPU}
        label="CPU of the last two minutes"
        {...(width === undefined ? {} : { width })}
      />
    </Figure>
  );
}

export function MemoryLine({ use: { samples, newest, memoryLimit: limit }, width, bare = false }: LineProps) {
  return (
    <Figure
      word={bare ? "" : "Memory"}
      figure={newest && formatBytes(newest.memory_bytes)}
      hint={limit === undefined ? undefined : `of ${formatBytes(limit)}`}
    >
      <Sparkline
        points={samples.map((sample) => ({ at: sample.at_ms, value: sample.memory_bytes }))}
        // Without a limit, twice the newest value is the top: the line shows change, not a full bar.
        max={limit ?? (newest?.memory_bytes ?? 0) * 1.5}
        label="Memory of the last two minutes"
        {...(width === undefined ? {} : { width })}
      />
    </Figure>
  );
}

function Figure({
  word,
  figure,
  hint,
  children,
}: {
  word: string;
  figure: string | undefined;
  hint?: string | undefined;
  children: React.ReactNode;
}) {
  return (
    <div className="flex min-w-0 items-center justify-between gap-2 text-sm">
      <span className="min-w-0 truncate text-faint">
        {word} <span className="text-fg tabular-nums">{figure ?? "–"}</span> {hint}
      </span>
      {children}
    </div>
  );
}

/** Bytes a second between the last two samples. */
function rate(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const newest = samples.at(-1);
  const before = samples.at(-2);
  if (!newest || !before || newest.at_ms <= before.at_ms) return 0;
  return (Math.max(0, value(newest) - value(before)) * 1000) / (newest.at_ms - before.at_ms);
}

/** Network and disk: what flows now, and on hover all of it since the start. Narrow places show the network alone. */
export function FlowLine({ use: { samples, newest }, compact = false }: { use: Use; compact?: boolean }) {
  if (!newest) return null;
  const network = `Received ${formatBytes(newest.network_received_bytes)}, sent ${formatBytes(newest.network_sent_bytes)}`;
  const disk = `read ${formatBytes(newest.disk_read_bytes)} from disk, wrote ${formatBytes(newest.disk_written_bytes)}`;
  const total = `${network}, ${disk} since the start`;
  return (
    <div className="flex h-5 items-center justify-between gap-2 text-sm text-faint">
      <Flow
        word="Net"
        total={total}
        into={rate(samples, (sample) => sample.network_received_bytes)}
        out={rate(samples, (sample) => sample.network_sent_bytes)}
      />
      {!compact && (
        <Flow
          word="Disk"
          total={total}
          into={rate(samples, (sample) => sample.disk_read_bytes)}
          out={rate(samples, (sample) => sample.disk_written_bytes)}
        />
      )}
    </div>
  );
}

function Flow({ word, total, into, out }: { word: string; total: string; into: number; out: number }) {
  return (
    <Tooltip content={total}>
      <span className="flex min-w-0 items-center gap-1 overflow-hidden whitespace-nowrap tabular-nums">
        {word}
        <ArrowDown size={11} aria-label="in" />
        <span className="text-muted">{formatBytes(into)}/s</span>
        <ArrowUp size={11} aria-label="out" />
        <span className="text-muted">{formatBytes(out)}/s</span>
      </span>
    </Tooltip>
  );
}
