import { type ReactNode, useState } from "react";
import { useCall } from "@/client";
import {
  CopyButton,
  Dialog,
  ErrorState,
  Loading,
  Skeleton,
  StateLabel,
  Switch,
  toastError,
} from "@/components";
import { cx } from "@/lib/cx";
import { formatBytes, formatExactTime, formatLatency, formatMoney, formatSpeed } from "@/lib/format";
import { type KeptRequest, type RequestEntry } from "@/protocol/generated";
import { useChangeModels } from "../models/useModels";
import { pretty, saidIn } from "./bodies";
import { PlainText } from "./PlainText";
import {
  END_SENTENCES,
  endWord,
  type Names,
  ownerName,
  serverName,
  type Span,
  spansOf,
  speedOf,
} from "./usage";

/** What is known of one request: where its time went, who asked whom, and what, where that is kept. */
export function RequestDialog({
  request,
  onClose,
  names,
  currency,
  keeps,
}: {
  request: RequestEntry | undefined;
  onClose: () => void;
  names: Names;
  currency: string;
  keeps: boolean;
}) {
  return (
    <Dialog
      open={request !== undefined}
      onClose={onClose}
      size="large"
      title={request === undefined ? "" : request.model === "" ? "Request" : request.model}
      description={request && formatExactTime(request.at_ms)}
    >
      {request && (
        <div className="flex flex-col gap-4">
          <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <StateLabel tone={endWord(request.end).tone}>{endWord(request.end).word}</StateLabel>
            <span className="text-muted">{END_SENTENCES[request.end]}</span>
          </p>
          <Timing request={request} />
          <Facts request={request} names={names} currency={currency} />
          {request.is_kept ? <Kept request={request.request} /> : <NotKept keeps={keeps} />}
        </div>
      )}
    </Dialog>
  );
}

const SPANS: Record<Span["what"], { word: string; colour: string }> = {
  queued: { word: "Waited for a place", colour: "bg-chart-3" },
  before: { word: "Before it was sent", colour: "bg-chart-rest" },
  first: { word: "First piece", colour: "bg-chart-1" },
  rest: { word: "Rest of the answer", colour: "bg-chart-2" },
};

/** Where the time went, as one bar, with the figures below it. */
function Timing({ request }: { request: RequestEntry }) {
  const spans = spansOf(request);
  const { total_ms } = request;
  const speed = speedOf(request);
  return (
    <section aria-label="Time" className="flex flex-col gap-1.5">
      <div className="flex h-2.5 gap-px overflow-hidden rounded-sm" aria-hidden>
        {spans.map(({ what, ms }) => (
          <span
            key={what}
            className={cx("min-w-0.5", SPANS[what].colour)}
            style={{ flexGrow: ms, flexBasis: 0 }}
          />
        ))}
      </div>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted tabular-nums">
        {spans.map(({ what, ms }) => (
          <li key={what} className="flex items-center gap-1.5">
            <span aria-hidden className={cx("size-2.5 rounded-sm", SPANS[what].colour)} />
            {what === "rest" && request.first_ms === undefined ? "Until its end" : SPANS[what].word}{" "}
            {formatLatency(ms)}
          </li>
        ))}
        <li className="font-medium text-fg">Together {formatLatency(total_ms)}</li>
        {speed !== undefined && <li>{formatSpeed(speed)} tokens a second</li>}
      </ul>
    </section>
  );
}

function Facts({ request, names, currency }: { request: RequestEntry; names: Names; currency: string }) {
  const { backend, backend_model, input_tokens, output_tokens, status, attempts } = request;
  const server = backend === undefined ? "No server answered" : serverName(backend, names);
  const facts: [word: string, value: ReactNode][] = [
    ["Asked by", ownerName(request.owner, names)],
    ["Asked at", `/v1/${request.endpoint}${request.streamed ? ", as events" : ""}`],
    ["Answered by", backend_model === undefined ? server : `${server} / ${backend_model}`],
    ["Attempts", attempts.toLocaleString("en")],
    ["Status", status ?? "None: the client left before"],
    ["Tokens in", input_tokens?.toLocaleString("en") ?? "Not told"],
    ["Tokens out", output_tokens?.toLocaleString("en") ?? "Not told"],
    ["Cost", formatMoney(request.cost, request.currency ?? currency)],
    [
      "Id",
      <span key="id" className="flex items-center gap-1">
        <span className="font-mono text-sm break-all">{request.request}</span>
        <CopyButton text={request.request} />
      </span>,
    ],
  ];
  return (
    <dl className="grid grid-cols-1 gap-x-6 sm:grid-cols-2">
      {facts.map(([word, value]) => (
        <div key={word} className="flex min-h-7 items-center gap-2 border-b border-line">
          <dt className="w-24 shrink-0 text-faint">{word}</dt>
          <dd className="min-w-0 break-words select-text">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function NotKept({ keeps }: { keeps: boolean }) {
  const change = useChangeModels();
  return (
    <section
      aria-label="Question and answer"
      className="flex flex-col gap-2 rounded-md border border-line bg-surface p-3"
    >
      <p className="text-muted">
        {keeps
          ? "The question and answer of this request are not kept: it came before prompts were kept, or newer ones took its place."
          : "Prompts are not kept."}
      </p>
      <Switch
        label="Keep prompts from now on"
        description="They stay in this machine’s memory only, and are forgotten when this is switched off."
        checked={keeps}
        disabled={change.isPending}
        onChange={(keep_prompts) =>
          change.mutate((now) => ({ ...now, keep_prompts }), { onError: toastError })
        }
      />
    </section>
  );
}

function Kept({ request }: { request: string }) {
  const kept = useCall("models.request", { request });
  if (kept.isError)
    return (
      <ErrorState
        compact
        title="The question and answer could not be read"
        error={kept.error}
        onRetry={() => void kept.refetch()}
      />
    );
  if (kept.isPending)
    return (
      <Loading>
        <Skeleton className="h-40" />
      </Loading>
    );
  if (kept.data === null) return <p className="text-muted">Newer requests took its place in memory.</p>;
  return <Bodies kept={kept.data} />;
}

function Bodies({ kept: { question, answer, left_out } }: { kept: KeptRequest }) {
  const said = saidIn(answer);
  const [raw, setRaw] = useState(false);
  const shown = raw || said === undefined ? pretty(answer) : said;
  return (
    <>
      <Body title="Question" text={pretty(question)} />
      <Body
        title="Answer"
        text={shown}
        action={said !== undefined && <Switch label="As it went out" checked={raw} onChange={setRaw} />}
      />
      {left_out > 0 && (
        <p className="text-sm text-muted">
          {formatBytes(left_out)} were too many to keep, and are not shown.
        </p>
      )}
    </>
  );
}

function Body({ title, text, action }: { title: string; text: string; action?: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-1">
      <div className="flex items-center gap-3">
        <h3 className="font-semibold text-muted">{title}</h3>
        <CopyButton text={text} />
        <span className="flex-1" />
        {action}
      </div>
      <PlainText text={text} />
    </section>
  );
}
