import { ArrowDown, ArrowUp, GitBranch, Radio, Unplug } from "lucide-react";
import { type ReactNode } from "react";
import { StatusBarItems } from "@/app/StatusBarItems";
import { useCall } from "@/client";
import { Menu, Popover, Sparkline, StateDot, Tooltip } from "@/components";
import { cx } from "@/lib/cx";
import { formatBytes, formatPercent } from "@/lib/format";
import { type Workspace } from "@/protocol/generated";
import { useLink } from "@/state/links";
import { useSamples } from "@/state/samples";
import { isTransient, STATE_TONES, STATE_WORDS, useEngine } from "@/state/workspaces";
import { languageName } from "./editor/names";
import { shown } from "./model/path";
import { useSession } from "./session/context";
import { useModel } from "./useModel";

/** What the status bar says of the workspace in view. */
export function StatusItems({ workspace }: { workspace: Workspace }) {
  return (
    <>
      <StatusBarItems side="left">
        <LinkItem workspace={workspace} />
        <BranchItem />
        <UsageItems workspace={workspace} />
        <PortItems />
        <TransferItem />
      </StatusBarItems>
      <StatusBarItems side="right">
        <CursorItems />
      </StatusBarItems>
    </>
  );
}

const ITEM = "inline-flex h-5 items-center gap-1 rounded-sm px-1 hover:bg-hover hover:text-fg";

function LinkItem({ workspace }: { workspace: Workspace }) {
  const session = useSession();
  const link = useLink(workspace.id);
  const { inside } = session;
  const engine = useEngine(workspace.engine)?.name ?? workspace.engine;
  const reconnecting = link.kind === "reconnecting" || link.kind === "connecting";
  const broken = link.kind === "failed";
  const running = workspace.state === "running";
  return (
    <Tooltip
      side="top"
      content={`${engine} · ${inside.os ?? "unknown system"} · user ${inside.user}${inside.sudo ? " with sudo" : ""}`}
    >
      <span className="inline-flex min-w-0 items-center gap-1.5" role="status" tabIndex={-1}>
        {broken ? (
          <Unplug size={12} className="text-failed" aria-hidden />
        ) : (
          <StateDot
            size={8}
            tone={running && reconnecting ? "starting" : STATE_TONES[workspace.state]}
            moving={reconnecting || isTransient(workspace.state)}
          />
        )}
        <span className="truncate">{engine}</span>
        {(!running || reconnecting || broken) && (
          <span className={cx(broken && "text-failed")}>
            {broken
              ? "not reachable"
              : reconnecting && running
                ? "connecting"
                : STATE_WORDS[workspace.state].toLowerCase()}
          </span>
        )}
      </span>
    </Tooltip>
  );
}

function BranchItem() {
  const session = useSession();
  const { state } = useModel(session.git);
  if (!state) return null;
  const changed = state.entries.filter((entry) => entry.change !== "ignored").length;
  return (
    <Tooltip side="top" content={`${changed} changed; ${state.ahead} to push, ${state.behind} to pull`}>
      <button
        type="button"
        className={ITEM}
        onClick={() => void session.git.refresh()}
        aria-label={`Branch ${state.branch ?? "none"}, ${changed} changed`}
      >
        <GitBranch size={12} aria-hidden />
        <span className="max-w-40 truncate">{shown(state.branch ?? "no commits yet")}</span>
        {changed > 0 && <span aria-hidden>*</span>}
        {state.ahead > 0 && (
          <span className="inline-flex items-center tabular-nums">
            <ArrowUp size={11} aria-hidden />
            {state.ahead}
          </span>
        )}
        {state.behind > 0 && (
          <span className="inline-flex items-center tabular-nums">
            <ArrowDown size={11} aria-hidden />
            {state.behind}
          </span>
        )}
      </button>
    </Tooltip>
  );
}

function UsageItems({ workspace }: { workspace: Workspace }) {
  const samples = useSamples(workspace.id, workspace.state === "running");
  const newest = samples.at(-1);
  if (workspace.state !== "running" || !newest) return null;
  return (
    <span className="hidden items-center gap-3 tabular-nums md:inline-flex">
      <span className="inline-flex items-center gap-1.5">
        CPU
        <Sparkline
          points={samples.map((sample) => ({ at: sample.at_ms, value: sample.cpu_percent }))}
          max={100}
          span={60_000}
          width={36}
          height={12}
          label="CPU of the last minute"
        />
        <span className="inline-block min-w-9">{formatPercent(newest.cpu_percent)}</span>
      </span>
      <span className="inline-flex items-center gap-1.5">
        Mem <span className="inline-block min-w-12">{formatBytes(newest.memory_bytes)}</span>
      </span>
    </span>
  );
}

function PortItems() {
  const session = useSession();
  const ports = useCall("port.list", { workspace: session.workspace }).data ?? [];
  const open = ports.filter((port) => port.forward);
  if (open.length === 0) return null;
  return (
    <span className="inline-flex items-center gap-1">
      {open.slice(0, 3).map(({ target, forward }) => (
        <a
          key={`${target.host}:${target.port}`}
          href={forward?.url}
          target="_blank"
          rel="noopener noreferrer"
          className={ITEM}
          title={`Open ${forward?.url ?? ""}`}
        >
          <Radio size={11} aria-hidden />
          <span className="tabular-nums">
            {target.host === "localhost" ? "" : target.host}:{target.port}
          </span>
        </a>
      ))}
      {open.length > 3 && (
        <button type="button" className={ITEM} onClick={() => session.bottom.showFixed("ports")}>
          {open.length - 3} more
        </button>
      )}
    </span>
  );
}

function TransferItem() {
  const session = useSession();
  const { all } = useModel(session.transfers);
  const first = all[0];
  if (!first) return null;
  const total = all.reduce((sum, transfer) => sum + (transfer.total ?? 0), 0);
  const done = all.reduce((sum, transfer) => sum + transfer.done, 0);
  return (
    <Popover
      label="Transfers"
      side="top"
      trigger={
        <button type="button" className={ITEM}>
          <span className="max-w-60 truncate">
            {all.length === 1 ? first.label : `${all.length} transfers`}
          </span>
          <span className="tabular-nums">
            {total > 0 ? formatPercent((100 * done) / total) : formatBytes(done)}
          </span>
        </button>
      }
    >
      <ul className="flex w-80 flex-col gap-2">
        {all.map((transfer) => (
          <li key={transfer.id} className="flex items-center gap-2 text-sm">
            <span className="min-w-0 flex-1 truncate">{transfer.label}</span>
            <span className="text-muted tabular-nums">
              {formatBytes(transfer.done)}
              {transfer.total === undefined ? "" : ` of ${formatBytes(transfer.total)}`}
            </span>
            <button type="button" className={ITEM} onClick={transfer.cancel}>
              Cancel
            </button>
          </li>
        ))}
      </ul>
    </Popover>
  );
}

function CursorItems(): ReactNode {
  const session = useSession();
  useModel(session.documents);
  const { state, editor } = useModel(session.cursor);
  const document = useModel(session.groups).activeDocument;
  // A picture or a page has no cursor; the editor beside it is not meant.
  if (!state || (document && document.content.kind !== "text")) return null;
  const saving = document?.saving === true;
  return (
    <>
      {saving && <span role="status">Saving…</span>}
      <button type="button" className={cx(ITEM, "tabular-nums")} onClick={() => session.quickOpen(":")}>
        Ln {state.line}, Col {state.column}
        {state.cursors > 1
          ? ` (${state.cursors} cursors)`
          : state.selected > 0
            ? ` (${state.selected} selected)`
            : ""}
      </button>
      <button
        type="button"
        className={cx(ITEM, "hidden md:inline-flex")}
        onClick={() => {
          editor?.focus();
          void editor?.getAction("editor.action.detectIndentation")?.run();
        }}
        title="Detect the indentation from the content"
      >
        {state.indent}
      </button>
      {document && document.content.kind === "text" && (
        <Menu
          side="top"
          align="end"
          entries={[
            {
              label: "LF",
              checked: document.eol === "lf" && !document.mixedEol,
              onSelect: () => document.setEol("lf"),
            },
            {
              label: "CRLF",
              checked: document.eol === "crlf" && !document.mixedEol,
              onSelect: () => document.setEol("crlf"),
            },
          ]}
        >
          <button
            type="button"
            className={ITEM}
            title={document.mixedEol ? "Line ends are mixed; saving writes them all alike" : "Line ends"}
          >
            {document.eol === "crlf" ? "CRLF" : "LF"}
            {document.mixedEol && " (mixed)"}
          </button>
        </Menu>
      )}
      {document && (
        <span className="hidden lg:inline">
          {document.readOnly === "utf16" ? "UTF-16" : document.bom ? "UTF-8 with BOM" : "UTF-8"}
        </span>
      )}
      <button type="button" className={ITEM} onClick={() => session.chooseLanguage()}>
        {languageName(state.language)}
      </button>
    </>
  );
}
