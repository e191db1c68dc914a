import { MessageSquare, Pencil, Play, ScrollText, Square, Trash2 } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { Badge, Button, CopyButton, IconButton, StateLabel, Switch, toast, toastError } from "@/components";
import { formatBytes, formatExactTime, formatPercent } from "@/lib/format";
import { useNow } from "@/lib/time";
import {
  type LocalModel,
  type LocalServer,
  type LocalServerSettings,
  type Settings,
} from "@/protocol/generated";
import { TryModel } from "../TryModel";
import { LocalForm } from "./LocalForm";
import { LocalLog } from "./LocalLog";
import { idleWords, phaseAction, phaseWord, restartWords } from "./phases";
import { Prose } from "./Prose";
import { draftOfServer, RUNTIMES, withLocalAgain, withLocalEnabled, withoutLocal } from "./servers";
import { useChangeLocal, useLocalActions } from "./useLocal";

interface LocalProps {
  server: LocalServerSettings;
  settings: Settings;
  state: LocalServer | undefined;
  /** When the host told the state. */
  saidAt: number;
  /** Its file, where it was found. */
  model: LocalModel | undefined;
  /** What has the focus when the section goes. */
  add: RefObject<HTMLButtonElement | null>;
}

/** A model of this machine: what it does now, and what can be done with it. */
export function LocalServerSection(props: LocalProps) {
  const { server, settings, state, model } = props;
  const [editing, setEditing] = useState(false);
  const [trying, setTrying] = useState(false);
  const [logShown, setLogShown] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const change = useChangeLocal();
  const { word, ...look } = phaseWord(server.enabled, state?.phase);
  return (
    <section className="flex flex-col gap-2 rounded-md border border-line p-3" aria-label={server.name}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <div className="flex min-w-0 flex-1 basis-40 flex-wrap items-center gap-x-2 gap-y-1">
          <h3 className="min-w-0 font-mono text-sm font-semibold break-all select-text">{server.name}</h3>
          <CopyButton text={server.name} />
          <Badge>{RUNTIMES[server.runtime].label}</Badge>
        </div>
        <span role="status">
          <span className="sr-only">{server.name}: </span>
          <StateLabel {...look}>{word}</StateLabel>
        </span>
        <StartStop server={server} state={state} />
        <div className="flex items-center gap-3">
          <Switch
            label="Use"
            checked={server.enabled}
            onChange={(enabled) =>
              change.mutate((now) => withLocalEnabled(now, server.id, enabled), { onError: toastError })
            }
          />
          <span className="flex gap-0.5">
            <IconButton
              label="Try model"
              size="small"
              icon={<MessageSquare size={14} />}
              aria-expanded={trying}
              disabled={!server.enabled}
              onClick={() => setTrying(!trying)}
            />
            <IconButton
              label="Show log"
              size="small"
              icon={<ScrollText size={14} />}
              aria-expanded={logShown}
              onClick={() => setLogShown(!logShown)}
            />
            <IconButton
              ref={edit}
              label="Edit model"
              size="small"
              icon={<Pencil size={14} />}
              aria-expanded={editing}
              onClick={() => setEditing(!editing)}
            />
            <Remove {...props} />
          </span>
        </div>
      </div>
      {editing ? (
        <div className="border-t border-line pt-3">
          <LocalForm
            initial={draftOfServer(server)}
            settings={settings}
            model={model}
            onClose={() => {
              setEditing(false);
              edit.current?.focus();
            }}
          />
        </div>
      ) : (
        <Told {...props} />
      )}
      {trying && server.enabled && <TryModel model={server.name} />}
      {logShown && <LocalLog server={server} />}
    </section>
  );
}

function StartStop({ server, state }: Pick<LocalProps, "server" | "state">) {
  const act = useLocalActions();
  const action = phaseAction(state?.phase);
  if (action === undefined) return null;
  if (action === "stop")
    return (
      <Button
        size="small"
        icon={<Square size={12} aria-hidden />}
        busy={act.isPending}
        onClick={() => act.stop(server.id)}
      >
        Stop
      </Button>
    );
  return (
    <Button
      size="small"
      icon={<Play size={12} aria-hidden />}
      busy={act.isPending}
      disabled={!server.enabled}
      onClick={() => act.start(server.id)}
    >
      {action === "start" ? "Start" : "Try again"}
    </Button>
  );
}

/** Where the model lies, what it uses, and what it says while it loads or where it failed. */
function Told({ server, state, saidAt }: LocalProps) {
  const phase = state?.phase;
  return (
    <>
      <p className="flex flex-wrap justify-between gap-x-4 text-sm text-faint">
        <span className="min-w-0 font-mono break-all select-text">{server.model}</span>
        {state && <Figures state={state} saidAt={saidAt} />}
      </p>
      {phase?.kind === "loading" && (
        <LoadingBar name={server.name} progress={phase.progress} step={phase.step} />
      )}
      {phase?.kind === "failed" && (
        <div className="flex flex-col gap-0.5 rounded-md bg-surface px-3 py-2">
          <p className="break-words text-muted select-text">
            <Prose text={phase.why} keep={server.name} />
          </p>
          {phase.retry_in_ms !== undefined && (
            <CountDown words={(now) => restartWords(phase.retry_in_ms ?? 0, saidAt, now)} />
          )}
        </div>
      )}
    </>
  );
}

function Figures({ state, saidAt }: { state: LocalServer; saidAt: number }) {
  const { memory_bytes, idle_in_ms, pid, restarts, since_ms } = state;
  return (
    <span className="flex flex-wrap gap-x-3 tabular-nums" title={`Since ${formatExactTime(since_ms)}`}>
      {memory_bytes !== undefined && <span>{formatBytes(memory_bytes)} in use</span>}
      {pid !== undefined && <span>Process {pid}</span>}
      {restarts > 0 && (
        <span>
          Ended by itself {restarts} {restarts === 1 ? "time" : "times"}
        </span>
      )}
      {idle_in_ms !== undefined && <CountDown words={(now) => idleWords(idle_in_ms, saidAt, now)} />}
    </span>
  );
}

function CountDown({ words }: { words: (now: number) => string }) {
  const now = useNow(1_000);
  return <span className="text-sm text-faint tabular-nums">{words(now)}</span>;
}

function LoadingBar({
  name,
  progress,
  step,
}: {
  name: string;
  progress: number | undefined;
  step: string | undefined;
}) {
  const done = progress === undefined ? undefined : Math.floor(progress * 100);
  return (
    <div className="flex flex-col gap-1">
      <div
        role="progressbar"
        aria-label={`Loading ${name}`}
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

/** Removes it from here; the file stays, and undo brings the rest back. */
function Remove({ server, settings, add }: LocalProps) {
  const change = useChangeLocal();
  const at = settings.local_models.servers.indexOf(server);
  const remove = () =>
    // The section goes with its server: what follows must not depend on it.
    void change
      .mutateAsync((now) => withoutLocal(now, server.id))
      .then(() => {
        add.current?.focus();
        toast({
          message: `${server.name} was removed.`,
          hint: "Its file stays where it is.",
          action: {
            label: "Undo",
            run: () => void change.mutateAsync((now) => withLocalAgain(now, at, server)).catch(toastError),
          },
        });
      }, toastError);
  return <IconButton label="Remove model" size="small" icon={<Trash2 size={14} />} onClick={remove} />;
}
