import { useEffect, useId, useRef, useState } from "react";
import { Button, ErrorState, Field, Input, Select } from "@/components";
import { type Settings } from "@/protocol/generated";
import { useChangeModels, useServerStates } from "../useModels";
import { ANY, type PriceDraft, priceOf, type PriceProblems, priceProblems, withPrice } from "./prices";

/** Adds or changes a price. */
export function PriceForm({
  initial,
  at,
  settings: { models, local_models },
  onClose,
}: {
  initial: PriceDraft;
  /** Its place; absent for a new one. */
  at: number | undefined;
  settings: Settings;
  onClose: () => void;
}) {
  const id = useId();
  const change = useChangeModels();
  const states = useServerStates(models);
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(initial);
  const [asked, setAsked] = useState(false);
  const problems = priceProblems(draft, models.prices, at);
  const servers = [...models.backends, ...local_models.servers].map(({ id: value, name }) => ({
    value,
    label: name,
  }));
  // By name too, as the settings allow it.
  const isKnown = draft.backend === ANY || servers.some(({ value }) => value === draft.backend);
  const options = [
    { value: ANY, label: "Any server" },
    ...servers,
    ...(isKnown ? [] : [{ value: draft.backend, label: draft.backend }]),
  ];

  useEffect(() => form.current?.querySelector("input")?.focus(), []);

  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    setAsked(true);
    const [first] = Object.keys(problems);
    if (first !== undefined) form.current?.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
    else change.mutate((now) => withPrice(now, at, priceOf(draft)), { onSuccess: onClose });
  };
  const problem = (field: keyof PriceProblems) =>
    asked || draft[field] !== "" ? problems[field] : undefined;
  const field = (name: keyof PriceProblems) => ({
    name,
    value: draft[name],
    invalid: problem(name) !== undefined,
    onChange: (event: React.ChangeEvent<HTMLInputElement>) =>
      setDraft({ ...draft, [name]: event.target.value }),
  });
  const money = {
    inputMode: "decimal",
    trailing: <span className="text-sm text-faint">{models.currency}</span>,
  } as const;
  return (
    <form
      ref={form}
      noValidate
      aria-label={at === undefined ? "Add price" : `Edit the price of ${initial.model}`}
      className="flex flex-col gap-3"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        <Field
          label="Model"
          help="Its name at the server; gpt-* fits all that begin so."
          error={problem("model")}
        >
          {(ids) => <Input {...ids} {...field("model")} mono placeholder="gpt-*" list={`${id}-models`} />}
        </Field>
        <Field label="Server">
          {(ids) => (
            <Select
              {...ids}
              value={draft.backend}
              onChange={(backend) => setDraft({ ...draft, backend })}
              options={options}
              className="w-full"
            />
          )}
        </Field>
      </div>
      <datalist id={`${id}-models`}>
        {[...new Set(states.data?.flatMap((state) => state.models.map((model) => model.id)))].map((model) => (
          <option key={model} value={model} />
        ))}
      </datalist>
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-3">
        <Field label="Questions" error={problem("input")}>
          {(ids) => <Input {...ids} {...field("input")} {...money} placeholder="2.50" />}
        </Field>
        <Field label="Answers" error={problem("output")}>
          {(ids) => <Input {...ids} {...field("output")} {...money} placeholder="10" />}
        </Field>
        <Field label="Questions from its cache" error={problem("cached")}>
          {(ids) => <Input {...ids} {...field("cached")} {...money} placeholder="As others" />}
        </Field>
      </div>
      {change.error && <ErrorState compact title="The price was not kept" error={change.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={change.isPending}>
          {at === undefined ? "Add price" : "Save"}
        </Button>
      </div>
    </form>
  );
}
