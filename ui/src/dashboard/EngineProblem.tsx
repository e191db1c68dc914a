import { useAction } from "@/client";
import { Button, CommandLine, StateLabel } from "@/components";
import { cx } from "@/lib/cx";
import { type EngineInfo } from "@/protocol/generated";
import { HEALTH_TONES, healthWord } from "./health";
import { useEngineRetry } from "./useEngineRetry";

/** An engine that cannot be used: why, the command that mends it, and it is looked for again by itself. */
export function EngineProblem({
  engine,
  compact = false,
  retry = !compact,
}: {
  engine: EngineInfo;
  /** Only why and what to do: the engine is named beside it. */
  compact?: boolean;
  /** With a button that looks for it now. */
  retry?: boolean;
}) {
  const refresh = useAction("engine.refresh");
  useEngineRetry(engine.health !== "ready");
  return (
    <div className={cx("flex flex-col gap-2", !compact && "rounded-md border border-line bg-surface p-3")}>
      {!compact && (
        <div className="flex items-center justify-between gap-2">
          <span className="min-w-0 font-semibold break-words">{engine.name}</span>
          <StateLabel tone={HEALTH_TONES[engine.health]}>{healthWord(engine)}</StateLabel>
        </div>
      )}
      {engine.problem !== undefined && (
        <p className={cx("break-words text-muted select-text", compact && "text-sm")}>{engine.problem}</p>
      )}
      {engine.remedy_command !== undefined && <CommandLine command={engine.remedy_command} />}
      {retry && (
        <div className="flex items-center justify-between gap-2">
          <span className="text-sm text-faint">It is looked for again every few seconds.</span>
          <Button size="small" busy={refresh.isPending} onClick={() => refresh.mutate({})}>
            Look now
          </Button>
        </div>
      )}
    </div>
  );
}
