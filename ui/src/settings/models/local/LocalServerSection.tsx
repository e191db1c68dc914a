import { Container, MessageSquare, Pencil, Play, ScrollText, Square } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import {
  Badge,
  Button,
  CopyButton,
  IconButton,
  ProgressBar,
  StateLabel,
  Switch,
  toastError,
} from "@/components";
import { formatBytes, formatExactTime } from "@/lib/format";
import { useNow } from "@/lib/time";
import {
  type LocalScan,
  type LocalServer,
  type LocalServerSettings,
  type Settings,
} from "@/protocol/generated";
import { RemoveServer } from "../RemoveServer";
import { TryModel } from "../TryModel";
import { containerWords } from "./containers";
import { LocalForm } from "./LocalForm";
import { LocalLog } from "./LocalLog";
import { idleWords, phaseAction, phaseWord, restartWords } from "./phases";
import { Prose } from "./Prose";
import { draftOfServer, RUNTIMES, withLocalEnabled } from "./servers";
import { useChangeLocal, useLocalActions } from "./useLocal";

interface LocalProps {
  server: LocalServerSettings;
  settings: Settings;
  state: LocalServer | undefined;
  /** When the host told the state. */
  saidAt: number;
  /** What there is on this machine. */
  scan: LocalScan | undefined;
  /** What has the focus when the last section goes. */
  add: RefObject<HTMLButtonElement | null>;
}

/** A model of this machine: what it does now, and what can be done with it. */
export function LocalServerSection(props: LocalProps) {
  const { server, settings, state, scan, add } = props;
  const [editing, setEditing] = useState(false);
  const [trying, setTrying] = useState(false);
  const [logShown, setLogShown] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const change = useChangeLocal();
  const { word, ...look } = phaseWord(server.enabled, state?.phase);
  return (
    <section
      data-list-row
      tabIndex={-1}
      aria-label={server.name}
      className="flex flex-col gap-2 rounded-md border border-line p-3"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <div className="flex min-w-0 flex-1 basis-40 flex-wrap items-center gap-x-2 gap-y-1">
          <h3 className="min-w-0 font-mono text-sm font-semibold break-all select-text">{server.name}</h3>
          <CopyButton text={server.name} />
          <Badge>{RUNTIMES[server.runtime].label}</Badge>
          {server.container && <Badge icon={<Container size={12} aria-hidden />}>Container</Badge>}
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
            <RemoveServer
              server={server}
              settings={settings}
              label="Remove model"
              stays="Its file stays where it is."
              add={add}
            />
          </span>
        </div>
      </div>
      {editing ? (
        <div className="border-t border-line pt-3">
          <LocalForm
            initial={draftOfServer(server, scan)}
            settings={settings}
            model={scan?.models.find(({ path }) => path === server.model)}
            scan={scan}
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
function Told({ server, state, saidAt, scan }: LocalProps) {
  const phase = state?.phase;
  const container = containerWords(server, scan?.engines ?? []);
  return (
    <>
      <p className="flex flex-wrap justify-between gap-x-4 text-sm text-faint">
        <span className="min-w-0 font-mono break-all select-text">{server.model}</span>
        {state && <Figures state={state} saidAt={saidAt} />}
      </p>
      {container !== undefined && (
        <p className="flex flex-wrap justify-between gap-x-4 text-sm text-faint">
          <span className="min-w-0 break-all select-text">{container}</span>
          {state?.container !== undefined && (
            <span className="min-w-0 font-mono break-all select-text">{state.container}</span>
          )}
        </p>
      )}
      {phase?.kind === "loading" && (
        <ProgressBar label={`Loading ${server.name}`} progress={phase.progress} step={phase.step} />
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
  const { memory_bytes, idle_in_ms, pid, container, restarts, since_ms } = state;
  return (
    <span className="flex flex-wrap gap-x-3 tabular-nums" title={`Since ${formatExactTime(since_ms)}`}>
      {memory_bytes !== undefined && <span>{formatBytes(memory_bytes)} in use</span>}
      {pid !== undefined && container === undefined && <span>Process {pid}</span>}
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
