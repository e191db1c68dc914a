import { useEffect, useId, useRef, useState } from "react";
import { fromApiError, toCallError, useClient } from "@/client";
import { Button, ErrorState, Field, Input } from "@/components";
import { formatLatency } from "@/lib/format";
import { type BackendState, type BrokerSettings } from "@/protocol/generated";
import { PlainText } from "../usage/PlainText";
import { clientName } from "./states";

const QUESTION = "Say in one sentence what you are good at.";

/** Every name that a client may ask for. */
export function namesToTry(models: BrokerSettings, states: readonly BackendState[]): string[] {
  const own = states.flatMap((state) => {
    const server = models.backends.find(({ id }) => id === state.id);
    return server ? state.models.map(({ id }) => clientName(id, server, models, states)) : [];
  });
  return [...new Set([...models.aliases.map(({ name }) => name), ...own])];
}

interface Asked {
  text: string;
  /** Milliseconds until the first piece came. */
  firstMs?: number;
  state: "asking" | "done" | "stopped" | "failed";
  error?: unknown;
}

/** Asks a model one question, to see that it answers and how fast. */
export function TryModel({ model, names = [] }: { model?: string; names?: readonly string[] }) {
  const id = useId();
  const client = useClient();
  const [name, setName] = useState(model ?? names[0] ?? "");
  const [question, setQuestion] = useState(QUESTION);
  const [asked, setAsked] = useState<Asked>();
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  const ask = async (signal: AbortSignal) => {
    const began = performance.now();
    setAsked({ text: "", state: "asking" });
    try {
      const { stream: streamId } = await client.call(
        "models.try",
        { model: name.trim(), prompt: question },
        { signal },
      );
      const stream = client.stream(streamId);
      signal.addEventListener("abort", () => stream.close());
      if (signal.aborted) return stream.close();
      const decoder = new TextDecoder();
      stream.onData((bytes, consumed) => {
        const piece = decoder.decode(bytes, { stream: true });
        const firstMs = performance.now() - began;
        setAsked((now) => now && { firstMs, ...now, text: now.text + piece });
        consumed();
      });
      const end = await stream.ended;
      if (signal.aborted) return;
      if (end.kind === "failed") throw fromApiError(end.error);
      setAsked((now) => now && { ...now, state: "done" });
    } catch (error) {
      if (!signal.aborted)
        setAsked((now) => ({ text: now?.text ?? "", ...now, state: "failed", error: toCallError(error) }));
    }
  };
  const submit = (event: React.SyntheticEvent) => {
    event.preventDefault();
    if (name.trim() === "" || question.trim() === "") return;
    abort.current?.abort();
    abort.current = new AbortController();
    void ask(abort.current.signal);
  };
  const stop = () => {
    abort.current?.abort();
    setAsked((now) => now && { ...now, state: "stopped" });
  };
  const isAsking = asked?.state === "asking";
  return (
    <form
      aria-label={model === undefined ? "Try a model" : `Try ${model}`}
      className="flex flex-col gap-3 rounded-md border border-line p-3"
      onSubmit={submit}
    >
      <div className="flex flex-wrap items-end gap-2">
        {model === undefined && (
          <Field label="Model" className="min-w-48 flex-1">
            {(ids) => (
              <Input
                {...ids}
                mono
                list={`${id}-names`}
                placeholder="Name of a model"
                value={name}
                onChange={(event) => setName(event.target.value)}
              />
            )}
          </Field>
        )}
        <datalist id={`${id}-names`}>
          {names.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <Field label="Question" className="min-w-60 flex-2">
          {(ids) => <Input {...ids} value={question} onChange={(event) => setQuestion(event.target.value)} />}
        </Field>
        {isAsking ? (
          <Button onClick={stop}>Stop</Button>
        ) : (
          <Button type="submit" disabled={name.trim() === "" || question.trim() === ""}>
            Ask
          </Button>
        )}
      </div>
      {asked && (asked.text !== "" || isAsking) && (
        <div role="status" aria-label="Answer" className="flex flex-col gap-1">
          {asked.text === "" ? (
            <p className="text-muted">Asked; a model that sleeps is loaded first…</p>
          ) : (
            <PlainText text={asked.text} />
          )}
          <p className="text-sm text-faint tabular-nums">
            {asked.firstMs !== undefined && `First piece after ${formatLatency(asked.firstMs)}. `}
            {asked.state === "stopped" && "Stopped."}
          </p>
        </div>
      )}
      {asked?.state === "failed" && (
        <ErrorState compact title={`${name.trim()} did not answer`} error={asked.error} />
      )}
    </form>
  );
}
