import { ExternalLink, Plus, Radio, X } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useCall } from "@/client";
import {
  Button,
  CopyButton,
  EmptyState,
  ErrorState,
  IconButton,
  Input,
  Loading,
  Skeleton,
  toastError,
} from "@/components";
import { type ForwardTarget, type PortEntry } from "@/protocol/generated";
import { useSession } from "../session/context";
import { parseTarget } from "./target";

/** The ports of a workspace: what listens, and where it can be opened. */
export function PortsPane() {
  const session = useSession();
  const ports = useCall("port.list", { workspace: session.workspace });
  if (ports.isError && !ports.data) {
    return (
      <div className="p-3">
        <ErrorState
          compact
          title="The ports could not be read"
          error={ports.error}
          onRetry={() => void ports.refetch()}
        />
      </div>
    );
  }
  if (!ports.data) {
    return (
      <Loading>
        <div className="flex flex-col gap-2 p-3">
          <Skeleton className="h-4" />
          <Skeleton className="h-4" />
        </div>
      </Loading>
    );
  }
  const entries = [...ports.data].sort(
    (a, b) => a.target.host.localeCompare(b.target.host) || a.target.port - b.target.port,
  );
  return (
    <div className="flex h-full min-h-0 flex-col bg-canvas">
      {entries.length === 0 ? (
        <div className="min-h-0 flex-1 overflow-auto">
          <EmptyState icon={<Radio size={24} strokeWidth={1.5} />} title="Nothing listens yet">
            Start a server in a terminal: its port shows up here by itself, with an address to open.
          </EmptyState>
        </div>
      ) : (
        <ul aria-label="Ports" className="min-h-0 flex-1 overflow-auto py-1" tabIndex={0} data-focus-target>
          {entries.map((entry) => (
            <PortRow key={`${entry.target.host}:${entry.target.port}`} entry={entry} />
          ))}
        </ul>
      )}
      <ForwardForm />
    </div>
  );
}

function label({ host, port }: ForwardTarget): string {
  return host === "localhost" ? String(port) : `${host}:${port}`;
}

function PortRow({ entry }: { entry: PortEntry }) {
  const session = useSession();
  const { target, listening, forward } = entry;
  const [busy, setBusy] = useState(false);
  const work = (promise: Promise<unknown>) => {
    setBusy(true);
    promise.catch(toastError).finally(() => setBusy(false));
  };
  const open = async () => {
    const made = forward ?? (await session.host.call("port.forward", target));
    window.open(made.url, "_blank", "noopener,noreferrer");
  };
  return (
    <li className="group/port flex min-h-8 items-center gap-2 px-3 hover:bg-hover">
      <Radio size={14} className={listening ? "shrink-0 text-running" : "shrink-0 text-faint"} aria-hidden />
      <span
        className="max-w-60 min-w-14 shrink-0 truncate font-medium tabular-nums select-text"
        title={label(target)}
      >
        {label(target)}
      </span>
      <span className="min-w-0 shrink truncate text-muted">
        {listening
          ? (listening.process ?? "listening")
          : target.host === "localhost"
            ? "nothing listens"
            : "forwarded"}
      </span>
      {forward && (
        <a
          href={forward.url}
          target="_blank"
          rel="noopener noreferrer"
          title={forward.url}
          className="min-w-0 truncate text-accent-text underline-offset-2 select-text hover:underline"
        >
          {forward.url.replace(/^https?:\/\//, "").replace(/\/$/, "")}
        </a>
      )}
      <span className="flex-1" />
      {forward && <CopyButton text={forward.url} />}
      <Button
        size="small"
        busy={busy}
        icon={<ExternalLink size={12} aria-hidden />}
        onClick={() => work(open())}
      >
        Open
      </Button>
      {forward ? (
        <IconButton
          size="small"
          label={`Stop forwarding ${label(target)}`}
          icon={<X size={14} />}
          disabled={busy}
          onClick={() => work(session.host.call("port.close", target))}
        />
      ) : (
        <Button
          size="small"
          kind="ghost"
          disabled={busy}
          onClick={() => work(session.host.call("port.forward", target))}
        >
          Forward
        </Button>
      )}
    </li>
  );
}

function ForwardForm() {
  const session = useSession();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const target = parseTarget(text);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!target) return;
    setBusy(true);
    session.host
      .call("port.forward", target)
      .then(() => setText(""), toastError)
      .finally(() => setBusy(false));
  };
  return (
    <form onSubmit={submit} className="flex shrink-0 items-center gap-2 border-t border-line px-3 py-1.5">
      <Input
        mono
        aria-label="Port or host:port to forward"
        placeholder="Port, or host:port"
        className="max-w-60 min-w-0 flex-1"
        value={text}
        invalid={text !== "" && !target}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" icon={<Plus size={14} aria-hidden />} busy={busy} disabled={!target}>
        Forward
      </Button>
    </form>
  );
}
