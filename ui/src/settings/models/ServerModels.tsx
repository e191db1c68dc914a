import { Search } from "lucide-react";
import { useState } from "react";
import { CopyButton, Input } from "@/components";
import { type BackendSettings, type BackendState, type BrokerSettings } from "@/protocol/generated";
import { abilityFacts, clientName, contextWords } from "./states";

/** More of them can be filtered. */
const MANY = 10;

/** What a server can do, and its models by the names that clients use. */
export function ServerModels({
  server,
  state,
  models,
  states,
}: {
  server: BackendSettings;
  state: BackendState;
  models: BrokerSettings;
  states: readonly BackendState[];
}) {
  const [query, setQuery] = useState("");
  const facts = abilityFacts(state);
  const wanted = query.trim().toLowerCase();
  const shown = state.models.filter(({ id }) => id.toLowerCase().includes(wanted));
  return (
    <div className="mt-1 flex flex-col gap-2">
      {facts.length > 0 && (
        <dl className="flex flex-wrap gap-x-4 gap-y-1 text-sm">
          {facts.map(([word, value]) => (
            <div key={word} className="flex gap-1.5">
              <dt className="text-faint">{word}</dt>
              <dd className="select-text">{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {state.models.length > MANY && (
        <Input
          role="searchbox"
          aria-label={`Filter models of ${server.name}`}
          placeholder="Filter"
          icon={<Search size={14} aria-hidden />}
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      )}
      <ul
        aria-label={`Models of ${server.name}`}
        // Scrollable content must be reachable by keyboard.
        tabIndex={0}
        className="max-h-72 divide-y divide-line overflow-auto rounded-md border border-line"
      >
        {shown.map((model) => {
          const name = clientName(model.id, server, models, states);
          return (
            <li key={model.id} className="flex min-h-8 items-center gap-3 py-1 pr-1 pl-2">
              <div className="min-w-0 flex-1">
                <p className="font-mono text-sm break-all select-text">{name}</p>
                {model.note !== undefined && (
                  <p className="text-sm break-words text-muted select-text">{model.note}</p>
                )}
              </div>
              {model.context_length !== undefined && (
                <span className="shrink-0 text-sm text-faint tabular-nums">
                  {contextWords(model.context_length)}
                </span>
              )}
              <CopyButton text={name} />
            </li>
          );
        })}
        {shown.length === 0 && <li className="px-2 py-1.5 text-sm text-muted">No model matches.</li>}
      </ul>
    </div>
  );
}
