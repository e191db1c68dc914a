import { Pencil, RotateCw } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { Badge, Fold, IconButton, StateLabel, Switch, toastError } from "@/components";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/time";
import { type BackendSettings, type BackendState, type Settings } from "@/protocol/generated";
import { isThisMachine } from "@/state/offline";
import { RemoveServer } from "./RemoveServer";
import { ServerForm } from "./ServerForm";
import { ServerModels } from "./ServerModels";
import { draftOf, KINDS, withEnabled } from "./servers";
import { failureWords, figures, retryWords, stateWord } from "./states";
import { useChangeModels, useCheckServer } from "./useModels";

interface ServerProps {
  server: BackendSettings;
  settings: Settings;
  states: readonly BackendState[];
  /** When the host told the states. */
  saidAt: number;
  asking: boolean;
  /** What has the focus when the last section goes. */
  add: RefObject<HTMLButtonElement | null>;
}

/** A model server: how it fares, what it has, and what can be done with it. */
export function ServerSection(props: ServerProps) {
  const { server, settings, states, asking, add } = props;
  const { models, offline } = settings;
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const isReachable = !offline || isThisMachine(server.url);
  const state = server.enabled && isReachable ? states.find(({ id }) => id === server.id) : undefined;
  const { word, ...look } = stateWord(server, state, asking, offline);
  const change = useChangeModels();
  return (
    <section
      data-list-row
      tabIndex={-1}
      aria-label={server.name}
      className="flex flex-col gap-2 rounded-md border border-line p-3"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <div className="flex min-w-0 flex-1 basis-40 flex-wrap items-center gap-2">
          <h3 className="min-w-0 font-semibold break-all">{server.name}</h3>
          <Badge>{KINDS[server.kind].label}</Badge>
        </div>
        <span role="status">
          <span className="sr-only">{server.name}: </span>
          <StateLabel {...look}>{word}</StateLabel>
        </span>
        <Switch
          label="Use"
          checked={server.enabled}
          onChange={(enabled) =>
            change.mutate((now) => withEnabled(now, server.id, enabled), { onError: toastError })
          }
        />
        <div className="flex gap-0.5">
          {server.enabled && isReachable && <CheckAgain server={server} />}
          <IconButton
            ref={edit}
            label="Edit server"
            size="small"
            icon={<Pencil size={14} />}
            aria-expanded={editing}
            onClick={() => setEditing(!editing)}
          />
          <RemoveServer
            server={server}
            settings={settings}
            label="Remove server"
            hasKey={server.has_key}
            add={add}
          />
        </div>
      </div>
      {editing ? (
        <div className="border-t border-line pt-3">
          <ServerForm
            initial={draftOf(server)}
            models={models}
            onClose={() => {
              setEditing(false);
              edit.current?.focus();
            }}
          />
        </div>
      ) : (
        <Told {...props} state={state} />
      )}
    </section>
  );
}

/** What the server told, or why it does not answer. */
function Told({
  server,
  settings: { models },
  states,
  saidAt,
  state,
}: ServerProps & { state: BackendState | undefined }) {
  return (
    <>
      <p className="flex flex-wrap justify-between gap-x-4 text-sm text-faint">
        <span className="min-w-0 font-mono break-all select-text">{server.url}</span>
        {state && <span className="tabular-nums">{figures(state).join(" · ")}</span>}
      </p>
      {state?.health.kind === "failing" && (
        <div className="flex flex-col gap-0.5 rounded-md bg-surface px-3 py-2">
          <p className="break-words text-muted select-text">{failureWords(state.health.why, server)}</p>
          <RetryAt retryInMs={state.health.retry_in_ms} saidAt={saidAt} />
        </div>
      )}
      {state && state.models.length > 0 && (
        <Fold small label={plural(state.models.length, "model")}>
          <ServerModels server={server} state={state} models={models} states={states} />
        </Fold>
      )}
      {state?.health.kind === "ready" && state.models.length === 0 && (
        <p className="text-sm text-muted">It has no model: load one there.</p>
      )}
    </>
  );
}

function RetryAt({ retryInMs, saidAt }: { retryInMs: number; saidAt: number }) {
  const now = useNow(1_000);
  return <p className="text-sm text-faint tabular-nums">{retryWords(retryInMs, saidAt, now)}</p>;
}

function CheckAgain({ server }: { server: BackendSettings }) {
  const check = useCheckServer();
  return (
    <IconButton
      label="Check again"
      size="small"
      aria-busy={check.isPending || undefined}
      icon={<RotateCw size={14} className={check.isPending ? "animate-turn" : undefined} />}
      onClick={() => !check.isPending && check.mutate(server.id)}
    />
  );
}
