import { useEffect, useRef, useState } from "react";
import { useClient } from "@/client";
import { Button, Checkbox, ErrorState, Field, Input, Select } from "@/components";
import { type BackendKind, type BrokerSettings } from "@/protocol/generated";
import {
  addressHelp,
  filledIn,
  isReadableOnTheWay,
  KINDS,
  LOCAL_PRESETS,
  type Preset,
  PROVIDER_PRESETS,
  type ServerDraft,
  type ServerProblems,
  serverProblems,
  withServer,
} from "./servers";
import { useChangeModels } from "./useModels";

const KIND_OPTIONS = (Object.keys(KINDS) as BackendKind[]).map((value) => ({
  value,
  label: KINDS[value].label,
}));

interface Failure {
  title: string;
  error: unknown;
}

/** Adds or changes a server. Nothing is kept before the button is pressed. */
export function ServerForm({
  initial,
  models,
  onClose,
}: {
  initial: ServerDraft;
  models: BrokerSettings;
  onClose: () => void;
}) {
  const client = useClient();
  const change = useChangeModels();
  const form = useRef<HTMLFormElement>(null);
  // The key is never in the state: it goes from its field to the host.
  const key = useRef<HTMLInputElement>(null);
  const [draft, setDraft] = useState(initial);
  const [shown, setShown] = useState<ReadonlySet<keyof ServerProblems>>(new Set());
  const [keyTyped, setKeyTyped] = useState(false);
  const [forget, setForget] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const kept = models.backends.find(({ id }) => id === draft.id);
  const problems = serverProblems(draft, models.backends);
  const put = (part: Partial<ServerDraft>) => setDraft((now) => ({ ...now, ...part }));
  const problem = (field: keyof ServerProblems) => (shown.has(field) ? problems[field] : undefined);
  const leave = (field: keyof ServerProblems) =>
    // A field that is passed over on the way is not wrong yet.
    draft[field] !== "" && setShown((before) => new Set([...before, field]));

  useEffect(() => form.current?.querySelector("input")?.focus(), []);

  const fillIn = (preset: Preset) => {
    setDraft((now) =>
      filledIn(
        now,
        preset,
        models.backends.filter(({ id }) => id !== now.id),
      ),
    );
    const next = preset.wantsKey ? key.current : form.current?.querySelector<HTMLElement>("[type=submit]");
    next?.focus();
  };
  const save = async () => {
    const typed = key.current?.value.trim() ?? "";
    setBusy(true);
    setFailure(undefined);
    let title = "The server was not kept";
    try {
      await change.mutateAsync((now) => withServer(now, draft));
      title = typed === "" ? "The key was not forgotten" : "The server was kept, but not its key";
      if (typed !== "") await client.call("models.key", { backend: draft.id, key: typed });
      else if (forget) await client.call("models.key", { backend: draft.id });
      onClose();
    } catch (error) {
      setFailure({ title, error });
      setBusy(false);
    }
  };
  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    setShown(new Set(["name", "url", "maxParallel"]));
    const [first] = Object.keys(problems);
    if (first === undefined) void save();
    else form.current?.querySelector<HTMLElement>(`[name="${first}"]`)?.focus();
  };

  return (
    <form
      ref={form}
      noValidate
      aria-label={kept ? `Edit ${kept.name}` : "Add a server"}
      className="flex flex-col gap-3"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      {!kept && <Presets onPick={fillIn} />}
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        <Field
          label="Name"
          help="Clients may put it before a model’s name: name/model."
          error={problem("name")}
        >
          {(ids) => (
            <Input
              {...ids}
              name="name"
              mono
              placeholder="workstation"
              value={draft.name}
              invalid={problem("name") !== undefined}
              onChange={(event) => put({ name: event.target.value })}
              onBlur={() => leave("name")}
            />
          )}
        </Field>
        <Field label="Kind" help="What it is: how its load and its context are read.">
          {(ids) => (
            <Select
              {...ids}
              value={draft.kind}
              onChange={(kind) => put({ kind })}
              options={KIND_OPTIONS}
              className="w-full"
            />
          )}
        </Field>
        <Field label="Address" help={addressHelp(draft.url)} error={problem("url")} className="sm:col-span-2">
          {(ids) => (
            <Input
              {...ids}
              name="url"
              mono
              inputMode="url"
              placeholder={KINDS[draft.kind].example}
              value={draft.url}
              invalid={problem("url") !== undefined}
              onChange={(event) => put({ url: event.target.value })}
              onBlur={() => leave("url")}
            />
          )}
        </Field>
        <Field label="Key" help={keyHelp(draft, keyTyped || (kept?.has_key === true && !forget))}>
          {(ids) => (
            <Input
              {...ids}
              ref={key}
              type="password"
              autoComplete="new-password"
              disabled={forget}
              placeholder={kept?.has_key === true ? "Kept; type to replace it" : "None"}
              onChange={(event) => setKeyTyped(event.target.value !== "")}
            />
          )}
        </Field>
        <Field
          label="Most requests at once"
          help="Further ones go elsewhere or wait. Empty for no limit."
          error={problem("maxParallel")}
        >
          {(ids) => (
            <Input
              {...ids}
              name="maxParallel"
              inputMode="numeric"
              placeholder="No limit"
              value={draft.maxParallel}
              invalid={problem("maxParallel") !== undefined}
              onChange={(event) => put({ maxParallel: event.target.value })}
              onBlur={() => leave("maxParallel")}
            />
          )}
        </Field>
      </div>
      {kept?.has_key === true && !keyTyped && (
        <Checkbox checked={forget} onChange={setForget} label="Forget its key">
          Forget its key
        </Checkbox>
      )}
      {failure && <ErrorState compact title={failure.title} error={failure.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={busy}>
          {kept ? "Save" : "Add server"}
        </Button>
      </div>
    </form>
  );
}

function keyHelp({ url }: ServerDraft, hasKey: boolean): string {
  if (hasKey && isReadableOnTheWay(url))
    return "This address is not encrypted: everyone on the way can read the key. Use https.";
  return "Kept in this machine’s keyring. It is never shown again, and no workspace gets it.";
}

function Presets({ onPick }: { onPick: (preset: Preset) => void }) {
  return (
    <div role="group" aria-label="Fill in for" className="flex flex-wrap items-center gap-1.5">
      <span className="mr-1 text-sm text-faint">Fill in for</span>
      {[...LOCAL_PRESETS, ...PROVIDER_PRESETS].map((preset) => (
        <Button key={preset.label} size="small" onClick={() => onPick(preset)}>
          {preset.label}
        </Button>
      ))}
    </div>
  );
}
