import { useAction, useCall, useConnection } from "@/client";
import { Button, Popover, StateDot } from "@/components";
import { EngineProblem } from "@/dashboard/EngineProblem";
import { engineSummary, HEALTH_TONES, healthWord } from "@/dashboard/health";
import { cx } from "@/lib/cx";
import { plural } from "@/lib/format";
import { openSettings } from "@/state/navigation";
import { useEngines } from "@/state/workspaces";

/** The host's and its engines' health: one dot and a word, details on a click. */
export function HostHealth() {
  const connection = useConnection();
  const host = useCall("host.info", {}).data;
  const engines = useEngines().data ?? [];
  const refresh = useAction("engine.refresh");
  const ready = engines.filter((engine) => engine.health === "ready");
  const summary =
    connection.kind === "connected"
      ? engineSummary(engines)
      : { tone: "starting" as const, word: "Connecting" };
  const used = engines.filter((engine) => engine.health !== "off");
  const unused = engines.length - used.length;
  return (
    <Popover
      label="Host and engines"
      align="end"
      className="max-h-[70vh] w-90 overflow-auto"
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
          {used.map((engine) => (
            <li key={engine.id} className="flex flex-col gap-1">
              <span className="flex items-center gap-2">
                <StateDot tone={HEALTH_TONES[engine.health]} moving={engine.health === "checking"} />
                <span className="min-w-0 flex-1 truncate" title={engine.name}>
                  {engine.name}
                </span>
                <span className={cx("text-sm", engine.health === "ready" ? "text-faint" : "text-muted")}>
                  {engine.health === "ready" && engine.version !== undefined
                    ? engine.version
                    : healthWord(engine)}
                </span>
              </span>
              {engine.problem !== undefined && engine.health !== "missing" && (
                <EngineProblem engine={engine} compact />
              )}
            </li>
          ))}
          {unused > 0 && (
            <li className="flex items-center gap-2 text-sm text-faint">
              <StateDot tone="stopped" />
              {plural(unused, "cluster")} of the kubeconfig not used
            </li>
          )}
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
