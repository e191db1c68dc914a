import { useEffect, useRef, useState } from "react";
import { Button, ErrorState, Field, Input } from "@/components";
import { type BrokerSettings, type KeyLimits } from "@/protocol/generated";
import { useChangeModels } from "../useModels";
import {
  draftOfLimits,
  LIMIT_FIELDS,
  type LimitField,
  limitProblems,
  limitsOf,
  type Whose,
  withLimits,
} from "./limits";

/** Changes limits. Empty fields set none. */
export function LimitForm({
  title,
  whose,
  limits,
  models,
  onClose,
}: {
  title: string;
  whose: Whose;
  limits: KeyLimits;
  models: BrokerSettings;
  onClose: () => void;
}) {
  const change = useChangeModels();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(() => draftOfLimits(limits));
  const [shown, setShown] = useState<ReadonlySet<LimitField>>(new Set());
  const problems = limitProblems(draft);

  useEffect(() => form.current?.querySelector("input")?.focus(), []);

  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    setShown(new Set(LIMIT_FIELDS.map(({ field }) => field)));
    const wrong = LIMIT_FIELDS.find(({ field }) => problems[field] !== undefined);
    if (wrong) form.current?.querySelector<HTMLElement>(`[name="${wrong.field}"]`)?.focus();
    else change.mutate((now) => withLimits(now, whose, limitsOf(draft)), { onSuccess: onClose });
  };
  return (
    <form
      ref={form}
      noValidate
      aria-label={`Limits: ${title}`}
      className="flex flex-col gap-3 border-t border-line pt-3 pb-1"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-3">
        {LIMIT_FIELDS.map(({ field, label, money }) => {
          const problem = shown.has(field) ? problems[field] : undefined;
          return (
            <Field key={field} label={label} error={problem}>
              {(ids) => (
                <Input
                  {...ids}
                  name={field}
                  inputMode={money ? "decimal" : "text"}
                  placeholder="No limit"
                  value={draft[field]}
                  invalid={problem !== undefined}
                  onChange={(event) => setDraft({ ...draft, [field]: event.target.value })}
                  onBlur={() => setShown((before) => new Set([...before, field]))}
                  trailing={money && <span className="text-sm text-faint">{models.currency}</span>}
                />
              )}
            </Field>
          );
        })}
      </div>
      <p className="text-sm text-faint">
        Counts may be written short: 500k, 2M. Days and months begin at midnight by this machine’s clock.
      </p>
      {change.error && <ErrorState compact title="The limits were not kept" error={change.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={change.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
