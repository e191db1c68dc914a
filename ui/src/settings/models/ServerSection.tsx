import { Pencil, RotateCw, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { Badge, Button, Dialog, Fold, IconButton, StateLabel, Switch, toast, toastError } from "@/components";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/time";
import { type BackendSettings, type BackendState, type BrokerSettings } from "@/protocol/generated";
import { isThisMachine } from "@/state/offline";
import { ServerForm } from "./ServerForm";
import { ServerModels } from "./ServerModels";
import { draftOf, KINDS, namesOf, withEnabled, withoutServer, withServerAgain } from "./servers";
import { failureWords, figures, retryWords, stateWord } from "./states";
import { useChangeModels, useCheckServer } from "./useModels";

interface ServerProps {
  server: BackendSettings;
  models: BrokerSettings;
  states: readonly BackendState[];
  /** When the host told the states. */
  saidAt: number;
  asking: boolean;
  /** No server elsewhere is asked. */
  offline: boolean;
}

/** A model server: how it fares, what it has, and what can be done with it. */
export function ServerSection(props: ServerProps) {
  const { server, models, states, asking, offline } = props;
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  const isReachable = !offline || isThisMachine(server.url);
  const state = server.enabled && isReachable ? states.find(({ id }) => id === server.id) : undefined;
  const { word, ...look } = stateWord(server, state, asking, offline);
  const change = useChangeModels();
  return (
    <section className="flex flex-col gap-2 rounded-md border border-line p-3" aria-label={server.name}>
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
          <Remove server={server} models={models} />
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
function Told({ server, models, states, saidAt, state }: ServerProps & { state: BackendState | undefined }) {
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

/** Removes a server. Undo brings it back; a key that goes with it cannot be brought back, so it is named before. */
function Remove({ server, models }: { server: BackendSettings; models: BrokerSettings }) {
  const change = useChangeModels();
  const [asked, setAsked] = useState(false);
  const names = namesOf(models, server);
  // The section goes with its server: what follows must not depend on it.
  const remove = () =>
    void change
      .mutateAsync((now) => withoutServer(now, server))
      .then(() => {
        setAsked(false);
        if (server.has_key) return;
        toast({
          message: `${server.name} was removed.`,
          hint: names.length === 0 ? undefined : `Names that led to it: ${names.join(", ")}.`,
          action: {
            label: "Undo",
            run: () =>
              void change.mutateAsync((now) => withServerAgain(now, models, server)).catch(toastError),
          },
        });
      }, toastError);
  return (
    <>
      <IconButton
        label="Remove server"
        size="small"
        icon={<Trash2 size={14} />}
        onClick={() => (server.has_key ? setAsked(true) : remove())}
      />
      <Dialog
        open={asked}
        onClose={() => setAsked(false)}
        title={`Remove ${server.name}?`}
        footer={
          <>
            <Button onClick={() => setAsked(false)}>Cancel</Button>
            <Button kind="danger" busy={change.isPending} onClick={remove}>
              Remove server
            </Button>
          </>
        }
      >
        <p>Its key is forgotten with it, and would have to be given anew.</p>
        {names.length > 0 && <p className="mt-2">Names that lead to it: {names.join(", ")}.</p>}
      </Dialog>
    </>
  );
}
