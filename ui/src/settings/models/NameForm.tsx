import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { Button, Checkbox, ErrorState, Field, IconButton, Input, Kbd, Select } from "@/components";
import { type BackendState, type BrokerSettings } from "@/protocol/generated";
import {
  changeTarget,
  moveTarget,
  type NameDraft,
  type NamedServer,
  nameProblems,
  type TargetDraft,
  turns,
  withName,
  withoutTarget,
  withTarget,
} from "./names";
import { useChangeModels } from "./useModels";

/** Adds or changes a name. Nothing is kept before the button is pressed. */
export function NameForm({
  initial,
  models,
  servers,
  states,
  onClose,
}: {
  initial: NameDraft;
  models: BrokerSettings;
  servers: readonly NamedServer[];
  states: readonly BackendState[];
  /** With what the name is now, where it was kept. */
  onClose: (name?: string) => void;
}) {
  const change = useChangeModels();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(initial);
  const [all, setAll] = useState(false);
  const [said, setSaid] = useState("");
  const problems = nameProblems(draft, models, servers);
  const order = turns(draft.targets);
  // What is still empty is not wrong before the button was pressed.
  const nameProblem = all || draft.name !== "" ? problems.name : undefined;
  const targetProblem = ({ key, model }: TargetDraft) =>
    all || model !== "" ? problems.targets.get(key) : undefined;

  useEffect(() => form.current?.querySelector("input")?.focus(), []);

  const move = (target: TargetDraft, step: -1 | 1) => {
    const focused = document.activeElement;
    const next = moveTarget(draft, target.key, step);
    if (next === draft) return;
    flushSync(() => setDraft(next));
    setSaid(
      `${target.model || "The model"} is number ${next.targets.findIndex(({ key }) => key === target.key) + 1}.`,
    );
    // What moved on the page has lost the focus; at the end of the list its button is no more to be pressed.
    const row = form.current?.querySelector(`[data-row="${target.key}"]`);
    const isUsable =
      focused instanceof HTMLElement && !(focused instanceof HTMLButtonElement && focused.disabled);
    (isUsable ? focused : row?.querySelector<HTMLElement>("[data-move]:enabled"))?.focus();
  };
  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    setAll(true);
    if (problems.name === undefined && problems.list === undefined && problems.targets.size === 0) {
      // The form may be gone by then: a row goes with the name it had.
      void change
        .mutateAsync((now) => withName(now, draft))
        .then(
          () => onClose(draft.name.trim()),
          () => {},
        );
      return;
    }
    const first = [...problems.targets.keys()][0];
    const wrong = problems.name === undefined ? `[data-row="${first}"] input` : "input";
    form.current?.querySelector<HTMLElement>(wrong)?.focus();
  };

  return (
    <form
      ref={form}
      noValidate
      aria-label={draft.before === undefined ? "Add a name" : `Edit ${draft.before}`}
      className="flex flex-col gap-3"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <Field label="Name" help="What clients ask for, in place of a model’s own name." error={nameProblem}>
        {(ids) => (
          <Input
            {...ids}
            mono
            placeholder="fast"
            value={draft.name}
            invalid={nameProblem !== undefined}
            onChange={(event) => setDraft({ ...draft, name: event.target.value })}
          />
        )}
      </Field>
      <div role="group" aria-label="Models in their order" className="flex flex-col gap-2">
        <ol className="flex flex-col gap-2">
          {draft.targets.map((target, index) => (
            <TargetRow
              key={target.key}
              target={target}
              index={index}
              count={draft.targets.length}
              turn={(order[index] ?? 0) + 1}
              problem={targetProblem(target)}
              servers={servers}
              state={states.find(({ id }) => id === target.server)}
              onChange={(part) => setDraft(changeTarget(draft, target.key, part))}
              onMove={(step) => move(target, step)}
              onRemove={() => setDraft(withoutTarget(draft, target.key))}
            />
          ))}
        </ol>
        {problems.list !== undefined && <p className="text-sm text-failed">{problems.list}</p>}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Button
            size="small"
            icon={<Plus size={14} aria-hidden />}
            onClick={() => setDraft(withTarget(draft, servers))}
          >
            Add a model
          </Button>
          {draft.targets.length > 1 && (
            <span className="flex items-center gap-1.5 text-sm text-faint">
              Move a model <Kbd keys="Alt+ArrowUp" /> <Kbd keys="Alt+ArrowDown" />
            </span>
          )}
        </div>
      </div>
      <p role="status" className="sr-only">
        {said}
      </p>
      {change.error && <ErrorState compact title="The name was not kept" error={change.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={() => onClose()}>Cancel</Button>
        <Button type="submit" kind="primary" busy={change.isPending}>
          {draft.before === undefined ? "Add name" : "Save"}
        </Button>
      </div>
    </form>
  );
}

function TargetRow({
  target,
  index,
  count,
  turn,
  problem,
  servers,
  state,
  onChange,
  onMove,
  onRemove,
}: {
  target: TargetDraft;
  index: number;
  count: number;
  turn: number;
  problem: string | undefined;
  servers: readonly NamedServer[];
  state: BackendState | undefined;
  onChange: (part: Partial<TargetDraft>) => void;
  onMove: (step: -1 | 1) => void;
  onRemove: () => void;
}) {
  const id = useId();
  const place = index + 1;
  const options = servers.map(({ id: value, name }) => ({ value, label: name }));
  const isKnown = options.some(({ value }) => value === target.server);
  return (
    <li
      data-row={target.key}
      className="flex flex-col gap-1"
      aria-label={`Model ${place}`}
      onKeyDown={(event) => {
        if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
        event.preventDefault();
        event.stopPropagation();
        onMove(event.key === "ArrowUp" ? -1 : 1);
      }}
    >
      <div className="flex flex-wrap items-center gap-1.5">
        <span className="w-5 shrink-0 text-center text-sm text-faint tabular-nums" title={`Turn ${turn}`}>
          {turn}
        </span>
        <Select
          label={`Server ${place}`}
          value={target.server}
          onChange={(server) => onChange({ server })}
          options={
            isKnown ? options : [...options, { value: target.server, label: `${target.server} (gone)` }]
          }
          className="w-40"
        />
        <Input
          aria-label={`Model ${place}`}
          aria-describedby={problem === undefined ? undefined : `${id}-problem`}
          mono
          list={`${id}-models`}
          placeholder="Model"
          value={target.model}
          invalid={problem !== undefined}
          onChange={(event) => onChange({ model: event.target.value })}
          className="min-w-40 flex-1"
        />
        <datalist id={`${id}-models`}>
          {state?.models.map((model) => (
            <option key={model.id} value={model.id} />
          ))}
        </datalist>
        <span className="flex">
          <IconButton
            label={`Move model ${place} up`}
            size="small"
            data-move
            icon={<ArrowUp size={14} />}
            disabled={index === 0}
            onClick={() => onMove(-1)}
          />
          <IconButton
            label={`Move model ${place} down`}
            size="small"
            data-move
            icon={<ArrowDown size={14} />}
            disabled={index === count - 1}
            onClick={() => onMove(1)}
          />
          <IconButton
            label={`Remove model ${place}`}
            size="small"
            icon={<X size={14} />}
            onClick={onRemove}
          />
        </span>
      </div>
      {problem !== undefined && (
        <p id={`${id}-problem`} className="pl-6.5 text-sm text-failed">
          {problem}
        </p>
      )}
      {index > 0 && (
        <Checkbox
          className="pl-6.5 text-muted"
          checked={target.together}
          onChange={(together) => onChange({ together })}
          label={`Model ${place} shares the load with the one above`}
        >
          Shares the load with the one above
        </Checkbox>
      )}
    </li>
  );
}
