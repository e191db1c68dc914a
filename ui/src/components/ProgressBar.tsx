import { formatPercent } from "@/lib/format";

/** How far something is that takes long, and what it does. */
export function ProgressBar({
  label,
  progress,
  step,
}: {
  label: string;
  /** From 0 to 1; absent where it cannot be told. */
  progress: number | undefined;
  step: string | undefined;
}) {
  const done = progress === undefined ? undefined : Math.floor(progress * 100);
  return (
    <div className="flex flex-col gap-1">
      <div
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={done}
        aria-valuetext={done === undefined ? step : formatPercent(done)}
        className="h-1 overflow-hidden rounded-full bg-hover"
      >
        <div
          className={
            done === undefined
              ? "h-full w-1/3 animate-breathe rounded-full bg-starting"
              : "h-full rounded-full bg-starting transition-[width]"
          }
          style={done === undefined ? undefined : { width: `${done}%` }}
        />
      </div>
      {step !== undefined && <p className="text-sm break-words text-faint">{step}</p>}
    </div>
  );
}
