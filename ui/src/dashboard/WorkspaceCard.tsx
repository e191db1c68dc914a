import { Button, Checkbox, ContextMenu } from "@/components";
import { stepLabel } from "@/create/steps";
import { cx } from "@/lib/cx";
import { formatBytes } from "@/lib/format";
import { type EngineInfo, type Workspace } from "@/protocol/generated";
import { usePreview } from "@/state/preview";
import { stateShown, useEngine } from "@/state/workspaces";
import { EngineBadge } from "./EngineBadge";
import { type ItemProps } from "./item";
import { CpuLine, FlowLine, MemoryLine, useUse } from "./Metrics";
import { LastUsed, Ports, QuickActions, SourceLine } from "./parts";
import { RenameField } from "./RenameField";
import { WorkspaceStateLabel } from "./WorkspaceStateLabel";

export const CARD_HEIGHT = 170;

export function WorkspaceCard(props: ItemProps) {
  const {
    workspace,
    active,
    selected,
    selecting,
    renaming,
    actions,
    menu,
    onToggle,
    onClick,
    onFocus,
    onRenamed,
  } = props;
  const { word } = stateShown(workspace, useEngine(workspace.engine));
  const revealed = cx(
    "opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 has-data-[state=open]:opacity-100 [@media(hover:none)]:opacity-100",
  );
  return (
    <ContextMenu entries={menu()}>
      <div
        role="gridcell"
        tabIndex={active ? 0 : -1}
        data-workspace={workspace.id}
        aria-selected={selected}
        aria-label={`${workspace.name}, ${word}`}
        onClick={onClick}
        onFocus={onFocus}
        onKeyDown={undefined}
        style={{ height: CARD_HEIGHT }}
        className={cx(
          "group flex min-w-0 flex-col gap-2 rounded-md border p-3 transition-colors",
          selected ? "border-accent bg-selected" : "border-line bg-raised hover:border-line-strong",
        )}
      >
        <div className="flex flex-col gap-0.5">
          <div className="flex h-5 items-center gap-2">
            {renaming ? (
              <RenameField name={workspace.name} onDone={onRenamed} />
            ) : (
              <span className="min-w-0 flex-1 truncate font-semibold" title={workspace.name}>
                {workspace.name}
              </span>
            )}
            <span
              className={cx("flex", !selecting && revealed)}
              onClick={(event) => event.stopPropagation()}
              role="presentation"
            >
              <Checkbox
                checked={selected}
                onChange={onToggle}
                label={`Select ${workspace.name}`}
                tabIndex={-1}
              />
            </span>
            <WorkspaceStateLabel workspace={workspace} />
          </div>
          <SourceLine workspace={workspace} />
        </div>
        <div className="min-h-0 flex-1">
          <CardMiddle workspace={workspace} />
        </div>
        <div className="flex h-6 items-center gap-2">
          <EngineBadge id={workspace.engine} />
          <LastUsed workspace={workspace} />
          <Ports workspace={workspace} max={2} />
          <span className="flex-1" />
          <span className={cx("flex items-center gap-0.5", revealed)}>
            <QuickActions workspace={workspace} actions={actions} menu={menu} active={active} />
            <Button
              size="small"
              kind="primary"
              tabIndex={active ? 0 : -1}
              className="ml-1"
              onClick={(event) => {
                event.stopPropagation();
                actions.open(workspace);
              }}
            >
              {["creating", "failed", "lost", "stranded"].includes(workspace.state) ? "Show" : "Open"}
            </Button>
          </span>
        </div>
      </div>
    </ContextMenu>
  );
}

/** What matters most in this state: progress, what went wrong, the last screen, or what it uses. */
function CardMiddle({ workspace }: { workspace: Workspace }) {
  const engine = useEngine(workspace.engine);
  switch (workspace.state) {
    case "creating":
      return <Progress workspace={workspace} />;
    case "failed":
    case "lost":
    case "stranded":
    case "unreachable":
      return <Why text={trouble(workspace, engine)} />;
    case "running":
      return <RunningMiddle workspace={workspace} />;
    case "starting":
      return workspace.message === undefined ? (
        <StoppedMiddle workspace={workspace} />
      ) : (
        <Why text={workspace.message} />
      );
    case "stopping":
    case "deleting":
    case "paused":
    case "stopped":
      return <StoppedMiddle workspace={workspace} />;
  }
}

/** A sentence, often the engine's own. */
function Why({ text }: { text: string }) {
  return (
    <p className="line-clamp-4 text-sm break-words text-muted" title={text}>
      {text}
    </p>
  );
}

function trouble({ state, plan, message }: Workspace, engine: EngineInfo | undefined): string {
  if (state === "unreachable" && engine?.health === "off")
    return `The cluster ${engine.name} is switched off in the settings. Whatever runs in it runs on.`;
  const told = plan?.error?.message ?? message;
  if (told !== undefined) return told;
  if (state === "lost") return "The container was removed by something other than AiCockpit.";
  if (state === "stranded") return "Its machine does not answer: whether it still runs is not known.";
  if (state === "unreachable") return "Its engine does not answer, so its present state is not known.";
  return "It could not be created.";
}

function RunningMiddle({ workspace }: { workspace: Workspace }) {
  const use = useUse(workspace);
  const preview = usePreview(workspace.id);
  const pictured = preview.lines.length > 0;
  return (
    <div className="flex h-full gap-3">
      {pictured && <Thumbnail lines={preview.lines} className="w-1/3 xl:w-2/5" />}
      <div className="flex min-w-0 flex-1 flex-col gap-1">
        <CpuLine use={use} width={pictured ? 48 : 120} />
        <MemoryLine use={use} width={pictured ? 48 : 120} />
        <FlowLine use={use} compact={pictured} />
      </div>
    </div>
  );
}

function StoppedMiddle({ workspace }: { workspace: Workspace }) {
  const preview = usePreview(workspace.id);
  if (preview.lines.length > 0) return <Thumbnail lines={preview.lines} className="h-full w-full" />;
  const { spec, message } = workspace;
  const facts = [
    spec.image.kind === "base" ? "Base image" : spec.image.reference,
    spec.profile === "locked" && "Locked",
    spec.limits.memory_bytes !== undefined && `${formatBytes(spec.limits.memory_bytes)} memory`,
    spec.limits.cpu_millis !== undefined && `${spec.limits.cpu_millis / 1000} cores`,
    workspace.imported && "Imported container",
  ].filter((fact) => fact !== false);
  return (
    <div className="flex flex-col gap-1 text-sm text-faint">
      <p className="truncate">{facts.join(" · ")}</p>
      {message !== undefined && <p className="line-clamp-2 text-muted">{message}</p>}
    </div>
  );
}

function Thumbnail({ lines, className }: { lines: readonly string[]; className: string }) {
  return (
    <pre
      aria-hidden
      className={cx(
        "overflow-hidden rounded-sm border border-line bg-code-bg p-1.5 font-mono text-[6px] leading-[8px] text-muted select-none",
        className,
      )}
    >
      {lines.slice(-8).join("\n")}
    </pre>
  );
}

function Progress({ workspace }: { workspace: Workspace }) {
  const steps = workspace.plan?.steps ?? [];
  const done = steps.filter((step) => step.state === "done" || step.state === "skipped").length;
  const current = steps.find((step) => step.state === "running");
  return (
    <div className="flex flex-col gap-2">
      <div
        role="progressbar"
        aria-label={`Creating ${workspace.name}`}
        aria-valuemin={0}
        aria-valuemax={steps.length}
        aria-valuenow={done}
        className="flex gap-0.5"
      >
        {steps.map((step) => (
          <span
            key={step.kind}
            className={cx(
              "h-1 flex-1 rounded-full",
              step.state === "done" && "bg-running",
              step.state === "running" && "animate-breathe bg-starting",
              step.state === "skipped" && "bg-line-strong",
              step.state === "waiting" && "bg-line",
              step.state === "failed" && "bg-failed",
            )}
          />
        ))}
      </div>
      <p className="line-clamp-3 text-sm break-words text-muted" title={current?.note}>
        {current ? stepLabel(current.kind, "running") : "Waiting to begin"}
        {current?.note !== undefined && <span className="text-faint">, {current.note}</span>}
      </p>
    </div>
  );
}
