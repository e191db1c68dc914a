import { Pencil, Plus, Trash2 } from "lucide-react";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Button, CopyButton, IconButton, toast, toastError } from "@/components";
import { nextRow } from "@/lib/focus";
import { type BackendState, type BrokerSettings, type ModelAlias, type Settings } from "@/protocol/generated";
import { NameForm } from "./NameForm";
import {
  emptyNameDraft,
  nameDraftOf,
  type NamedServer,
  namedServers,
  serverOf,
  turnsOf,
  withNameAgain,
  withoutName,
} from "./names";
import { useChangeModels } from "./useModels";

/** Names of models that lead to one or several of them. */
export function Names({ settings, states }: { settings: Settings; states: readonly BackendState[] }) {
  const { models } = settings;
  const servers = namedServers(settings);
  const [adding, setAdding] = useState(false);
  /** What a name was changed to: its row is another one then, and the focus goes there. */
  const [renamed, setRenamed] = useState<string>();
  const add = useRef<HTMLButtonElement>(null);
  const end = () => {
    setAdding(false);
    add.current?.focus();
  };
  return (
    <section className="flex flex-col gap-3" aria-label="Names">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 className="text-lg font-semibold">Names</h2>
        <Button
          ref={add}
          icon={<Plus size={14} aria-hidden />}
          aria-expanded={adding}
          onClick={() => (adding ? end() : setAdding(true))}
        >
          Add a name
        </Button>
      </div>
      <p className="text-muted">
        A name of your own leads to models in an order. The first whose server answers is used; those of one
        turn share the load.
      </p>
      {adding && (
        <section className="rounded-md border border-line-strong p-3" aria-label="New name">
          <NameForm
            initial={emptyNameDraft(servers)}
            models={models}
            servers={servers}
            states={states}
            onClose={end}
          />
        </section>
      )}
      {models.aliases.length > 0 && (
        <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
          {models.aliases.map((alias) => (
            <Name
              key={alias.name}
              alias={alias}
              models={models}
              servers={servers}
              states={states}
              isRenamed={alias.name === renamed}
              onRenamed={setRenamed}
              add={add}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function Name({
  alias,
  models,
  servers,
  states,
  isRenamed,
  onRenamed,
  add,
}: {
  alias: ModelAlias;
  models: BrokerSettings;
  servers: readonly NamedServer[];
  states: readonly BackendState[];
  isRenamed: boolean;
  onRenamed: (name: string) => void;
  /** What has the focus when the last name goes. */
  add: RefObject<HTMLButtonElement | null>;
}) {
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isRenamed) edit.current?.focus();
  }, [isRenamed]);
  const change = useChangeModels();
  const remove = () => {
    const at = models.aliases.indexOf(alias);
    const next = nextRow(edit.current);
    // The row goes with its name: what follows must not depend on it.
    void change
      .mutateAsync((now) => withoutName(now, alias.name))
      .then(() => {
        (next?.isConnected === true ? next : add.current)?.focus();
        toast({
          message: `The name ${alias.name} was removed.`,
          action: {
            label: "Undo",
            run: () =>
              void change.mutateAsync((now) => withNameAgain(now, alias, at, servers)).catch(toastError),
          },
        });
      }, toastError);
  };
  return (
    <li data-list-row tabIndex={-1} className="flex flex-col gap-1 px-3 py-2" aria-label={alias.name}>
      <div className="flex items-center gap-1">
        <h3 className="min-w-0 font-mono text-sm font-semibold break-all select-text">{alias.name}</h3>
        <CopyButton text={alias.name} />
        <span className="flex-1" />
        <IconButton
          ref={edit}
          label="Edit name"
          size="small"
          icon={<Pencil size={14} />}
          aria-expanded={editing}
          onClick={() => setEditing(!editing)}
        />
        <IconButton label="Remove name" size="small" icon={<Trash2 size={14} />} onClick={remove} />
      </div>
      {editing ? (
        <div className="border-t border-line pt-3 pb-1">
          <NameForm
            initial={nameDraftOf(alias, servers)}
            models={models}
            servers={servers}
            states={states}
            onClose={(name = alias.name) => {
              setEditing(false);
              if (name === alias.name) edit.current?.focus();
              else onRenamed(name);
            }}
          />
        </div>
      ) : (
        <Turns alias={alias} servers={servers} />
      )}
    </li>
  );
}

/** Where a name leads, in its order. */
function Turns({ alias, servers }: { alias: ModelAlias; servers: readonly NamedServer[] }) {
  return (
    <ol className="flex flex-col gap-0.5 text-sm">
      {turnsOf(alias.targets).map((turn, index) => (
        <li key={index} className="flex gap-2">
          <span className="w-4 shrink-0 text-right text-faint tabular-nums">{index + 1}</span>
          <span className="flex min-w-0 flex-wrap items-baseline gap-x-3">
            {turn.map((target, at) => {
              const server = serverOf(target, servers);
              return (
                <span key={at} className="min-w-0 break-all">
                  <span className="text-faint">{server?.name ?? target.backend} / </span>
                  <span className="font-mono select-text">{target.model}</span>
                  {server?.enabled === false && <span className="text-faint"> (off)</span>}
                </span>
              );
            })}
            {turn.length > 1 && <span className="text-faint">share the load</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}
