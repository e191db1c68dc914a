import { Check, Minus } from "lucide-react";
import { useId } from "react";
import { type EngineCapabilities, type EngineInfo } from "@/protocol/generated";
import { ABILITIES, lacks } from "./abilities";

/** What an engine says of itself. */
export function Facts({ engine }: { engine: EngineInfo }) {
  const facts = [
    ["Version", engine.version],
    ["Architecture", engine.architecture],
    ["Reached by", engine.endpoint],
  ] as const;
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
      {facts.map(
        ([word, value]) =>
          value !== undefined && (
            <div key={word} className="contents">
              <dt className="text-faint">{word}</dt>
              <dd className="break-all select-text">{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** What an engine can do, what it cannot, and why not. */
export function Abilities({ engine }: { engine: EngineInfo }) {
  const heading = useId();
  const reasons = lacks(engine);
  return (
    <>
      <ul className="grid grid-cols-1 gap-x-4 gap-y-1 border-t border-line pt-3 sm:grid-cols-2">
        {(Object.entries(ABILITIES) as [keyof EngineCapabilities, string][]).map(([ability, word]) => (
          <li key={ability} className="flex items-center gap-2 text-sm text-muted">
            {engine.capabilities[ability] ? (
              <Check size={14} className="text-running" aria-label="yes" />
            ) : (
              <Minus size={14} className="text-faint" aria-label="no" />
            )}
            {word}
          </li>
        ))}
      </ul>
      {reasons.length > 0 && (
        <div className="flex flex-col gap-1 border-t border-line pt-3">
          <h3 id={heading} className="text-sm font-medium">
            What this engine lacks
          </h3>
          <ul aria-labelledby={heading} className="flex list-disc flex-col gap-1 pl-4 text-sm text-muted">
            {reasons.map(({ ability, why }) => (
              <li key={why} className="break-words select-text">
                {ability !== undefined && <span className="text-fg">{ability}: </span>}
                {why}
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}
