import { useEffect, useRef, useState } from "react";
import { Button, ErrorState, Field, Fold, Input, Select } from "@/components";
import { cx } from "@/lib/cx";
import { formatBytes } from "@/lib/format";
import { type LocalModel, type LocalScan, type Runtime, type Settings } from "@/protocol/generated";
import { withPlace } from "./containers";
import { GpuField, PlaceFields, PlaceTrouble } from "./PlaceFields";
import { NO_TEMPLATE } from "./Templates";
import { type LocalDraft, type LocalProblems, localProblems, memoryAt, RUNTIMES, withLocal } from "./servers";
import { useChangeLocal } from "./useLocal";

const RUNTIME_OPTIONS = (Object.keys(RUNTIMES) as Runtime[]).map((value) => ({
  value,
  label: RUNTIMES[value].label,
}));
const USUAL_IDLE_MINUTES = 15;

/** Adds or changes a model of this machine. As it begins, Enter is enough. */
export function LocalForm({
  initial,
  settings: { local_models: local, models, offline },
  model,
  scan,
  inDialog = false,
  onClose,
}: {
  initial: LocalDraft;
  settings: Settings;
  model: LocalModel | undefined;
  scan: LocalScan | undefined;
  /** What keeps it stays in view while the rest scrolls. */
  inDialog?: boolean;
  onClose: () => void;
}) {
  const change = useChangeLocal();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(initial);
  const isNew = local.servers.every(({ id }) => id !== initial.id);
  const problems = localProblems(draft, local, models);
  const put = (part: Partial<LocalDraft>) => setDraft((now) => ({ ...now, ...part }));
  const engines = scan?.engines ?? [];
  const place = {
    draft,
    onChange: put,
    engines,
    program: scan?.runtimes.find(({ runtime }) => runtime === draft.runtime),
    offline,
    imageProblem: problems.image,
  };

  useEffect(() => form.current?.querySelector("input")?.select(), []);

  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    const [first] = Object.keys(problems);
    if (first !== undefined) form.current?.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
    else change.mutate((now) => withLocal(now, draft), { onSuccess: onClose });
  };
  const field = (name: Exclude<keyof LocalProblems, "image">, placeholder: string, numeric = true) => ({
    name,
    placeholder,
    ...(numeric ? { inputMode: "numeric" as const } : {}),
    value: draft[name],
    invalid: problems[name] !== undefined,
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => put({ [name]: event.target.value }),
  });

  return (
    <form
      ref={form}
      noValidate
      aria-label={isNew ? "New model" : `Edit ${initial.name}`}
      className="flex flex-col gap-3"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}
    >
      <p className="font-mono text-sm break-all text-faint select-text">{draft.model}</p>
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        <Field label="Name" help="What clients ask for." error={problems.name}>
          {(ids) => <Input {...ids} mono {...field("name", "qwen", false)} />}
        </Field>
        <Field label="Served by" help="llama.cpp for GGUF, vLLM for safetensors.">
          {(ids) => (
            <Select
              {...ids}
              value={draft.runtime}
              onChange={(runtime) => put(withPlace(draft, { runtime }, engines))}
              options={RUNTIME_OPTIONS}
              className="w-full"
            />
          )}
        </Field>
        <PlaceFields {...place} />
        <PlaceTrouble {...place} />
        <Field
          label="Context"
          help={contextHelp(model, Number(draft.contextLength))}
          error={problems.contextLength}
        >
          {(ids) => (
            <Input
              {...ids}
              {...field("contextLength", model?.estimate?.context_length.toString() ?? "As trained")}
              trailing={<span className="text-sm text-faint">tokens</span>}
            />
          )}
        </Field>
        <Field
          label="Unload after"
          help="Without a request; 0 to keep it in memory."
          error={problems.idleMinutes}
        >
          {(ids) => (
            <Input
              {...ids}
              {...field("idleMinutes", String(USUAL_IDLE_MINUTES))}
              trailing={<span className="text-sm text-faint">min</span>}
            />
          )}
        </Field>
      </div>
      {model !== undefined && model.problem === undefined && model.chat === undefined && (
        <p className="text-sm text-muted">{NO_TEMPLATE}</p>
      )}
      <Fold small label="More">
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
          <Field
            label="Requests at once"
            help="Further ones wait. Each takes its part of the context."
            error={problems.parallel}
          >
            {(ids) => <Input {...ids} {...field("parallel", "The program’s choice")} />}
          </Field>
          <GpuField {...place} />
          {draft.runtime === "llama_cpp" && (
            <Field label="Layers on the GPU" help="Empty for as many as fit." error={problems.gpuLayers}>
              {(ids) => <Input {...ids} {...field("gpuLayers", "As many as fit")} />}
            </Field>
          )}
          <Field
            label="More arguments"
            help={`For ${RUNTIMES[draft.runtime].program}, one on each line.`}
            className="sm:col-span-2"
          >
            {(ids) => (
              <textarea
                {...ids}
                rows={3}
                spellCheck={false}
                value={draft.arguments}
                onChange={(event) => put({ arguments: event.target.value })}
                className="rounded-md border border-line-strong bg-canvas px-2 py-1 font-mono text-sm focus-visible:outline-1"
              />
            )}
          </Field>
        </div>
      </Fold>
      <div
        className={cx(
          "flex flex-col gap-3",
          inDialog && "sticky -bottom-4 -mx-4 -mb-4 border-t border-line bg-raised px-4 py-3",
        )}
      >
        {change.error && <ErrorState compact title="The model was not kept" error={change.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={change.isPending}>
            {isNew ? "Add model" : "Save"}
          </Button>
        </div>
      </div>
    </form>
  );
}

function contextHelp(model: LocalModel | undefined, typed: number): string {
  const estimate = model?.estimate;
  if (estimate === undefined) return "Empty for what it was trained with, or less where memory asks for it.";
  const context = Number.isInteger(typed) && typed > 0 ? typed : estimate.context_length;
  const memory = formatBytes(memoryAt(estimate, context));
  const most = model?.context_length;
  const beyond = most !== undefined && context > most ? " More than it was trained with." : "";
  return `About ${memory} of memory with ${context.toLocaleString("en")} tokens.${beyond}`;
}
