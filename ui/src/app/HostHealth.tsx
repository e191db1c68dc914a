import { useAction, useCall, useConnection } from "@/client";
import { Button, Popover, StateDot, type Tone } from "@/components";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { HEALTH_TONES, HEALTH_WORDS } from "@/dashboard/health";
import { cx } from "@/lib/cx";
import { type EngineInfo } from "@/protocol/generated";
import { openSettings } from "@/state/navigation";
import { useEngines } from "@/state/workspaces";

/** The host's and its engines' health: one dot and a word, details on a click. */
export function HostHealth() {
  const connection = useConnection();
  const host = useCall("host.info", {}).data;
  const engines = useEngines().data ?? [];
  const refresh = useAction("engine.refresh");
  const ready = engines.filter((engine) => engine.health === "ready");
  const summary = summarise(connection.kind === "connected", engines);
  return (
    <Popover
      label="Host and engines"
      align="end"
      className="w-90"
      trigger={
        <button
          type="button"
          aria-label={`Host and engines: ${summary.word}`}
          className="flex h-7 items-center gap-1.5 rounded-md px-2 text-sm text-muted hover:bg-hover hover:text-fg data-[state=open]:bg-active"
        >
          <StateDot tone={summary.tone} moving={summary.tone === "starting"} />
          <span className="hidden lg:inline">{summary.word}</span>
        </button>
      }
    >
      <div className="flex flex-col gap-3">
        <div>
          <p className="font-semibold">{host?.machine ?? "Host"}</p>
          <p className="text-sm text-faint">
            {connection.kind === "connected" ? "Connected" : "Not connected"}
            {host && `, AiCockpit ${host.version}`}
          </p>
        </div>
        <ul className="flex flex-col gap-2">
          {engines.map((engine) => (
            <li key={engine.id} className="flex flex-col gap-1">
              <span className="flex items-center gap-2">
                <StateDot tone={HEALTH_TONES[engine.health]} moving={engine.health === "checking"} />
                <span className="min-w-0 flex-1 truncate">{engine.name}</span>
                <span className={cx("text-sm", engine.health === "ready" ? "text-faint" : "text-muted")}>
                  {engine.health === "ready" && engine.version !== undefined
                    ? engine.version
                    : HEALTH_WORDS[engine.health]}
                </span>
              </span>
              {engine.problem !== undefined && engine.health !== "missing" && (
                <EngineProblem engine={engine} compact />
              )}
            </li>
          ))}
        </ul>
        <div className="flex justify-between gap-2">
          <Button size="small" busy={refresh.isPending} onClick={() => refresh.mutate({})}>
            Look again
          </Button>
          <Button size="small" kind="ghost" onClick={() => openSettings("engines")}>
            {ready.length > 0 ? "Engines" : "Set up an engine"}
          </Button>
        </div>
      </div>
    </Popover>
  );
}

function summarise(connected: boolean, engines: readonly EngineInfo[]): { tone: Tone; word: string } {
  if (!connected) return { tone: "starting", word: "Connecting" };
  const ready = engines.filter((engine) => engine.health === "ready");
  if (ready.length === 1) return { tone: "running", word: `${ready[0]?.name ?? "Engine"} ready` };
  if (ready.length > 1) return { tone: "running", word: `${ready.length} engines ready` };
  if (engines.length === 0 || engines.some((engine) => engine.health === "checking")) {
    return { tone: "starting", word: "Looking for engines" };
  }
  return { tone: "failed", word: "No engine ready" };
}
