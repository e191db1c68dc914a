import { Ellipsis, ExternalLink, Folder, FolderGit2, GitBranch, Package, Play, Power } from "lucide-react";
import { useCall } from "@/client";
import { IconButton, Menu, Tooltip } from "@/components";
import { formatExactTime, formatRelativeTime } from "@/lib/format";
import { cx } from "@/lib/cx";
import { useNow } from "@/lib/time";
import { type Workspace } from "@/protocol/generated";
import { useLink } from "@/state/links";
import { allows, lastUsed, sourceText } from "@/state/workspaces";
import { type ItemProps } from "./item";

export function SourceLine({ workspace }: { workspace: Workspace }) {
  const { source } = workspace.spec;
  const Icon = source.kind === "git" ? FolderGit2 : source.kind === "folder" ? Folder : Package;
  const branch = workspace.branch ?? (source.kind === "git" ? source.branch : undefined);
  return (
    <span className="flex min-w-0 items-center gap-1.5 text-sm text-muted" title={sourceTitle(workspace)}>
      <Icon size={14} className="shrink-0 text-faint" aria-hidden />
      <span className={cx("truncate", branch !== undefined && "max-w-[70%] shrink-0")}>
        {sourceText(workspace)}
      </span>
      {branch !== undefined && (
        <span className="flex min-w-0 items-center gap-1 text-faint">
          <GitBranch size={12} className="shrink-0" aria-label="branch" />
          <span className="truncate">{branch}</span>
        </span>
      )}
    </span>
  );
}

function sourceTitle({ spec }: Workspace): string {
  switch (spec.source.kind) {
    case "git":
      return spec.source.url;
    case "folder":
      return spec.source.path;
    case "empty":
      return spec.image.kind === "reference" ? spec.image.reference : "Empty, on the base image";
  }
}

export function LastUsed({ workspace }: { workspace: Workspace }) {
  const now = useNow(30_000);
  const at = lastUsed(workspace);
  const never = workspace.last_used_ms === undefined;
  return (
    <Tooltip content={`${never ? "Created" : "Last opened"} ${formatExactTime(at)}`}>
      <span className="truncate text-sm text-faint">{formatRelativeTime(at, now)}</span>
    </Tooltip>
  );
}

/** Open forwards as links, and how many more ports listen. */
export function Ports({ workspace, max }: { workspace: Workspace; max: number }) {
  const connected = useLink(workspace.id).kind === "connected";
  const ports = useCall("port.list", { workspace: workspace.id }, { enabled: connected }).data ?? [];
  const shown = ports.filter((entry) => entry.forward !== undefined);
  if (workspace.state !== "running" || shown.length === 0) return null;
  return (
    <span className="flex min-w-0 items-center gap-1">
      {shown.slice(0, max).map(({ forward, target, listening }) => (
        <a
          key={`${target.host}:${target.port}`}
          href={forward?.url}
          target="_blank"
          rel="noreferrer"
          tabIndex={-1}
          title={`Open port ${target.port}${listening?.process === undefined ? "" : ` (${listening.process})`} in the browser`}
          onClick={(event) => event.stopPropagation()}
          className="inline-flex h-5 items-center gap-0.5 rounded-sm px-1 font-mono text-xs text-accent-text hover:bg-hover hover:underline"
        >
          :{target.port}
          <ExternalLink size={11} aria-hidden />
        </a>
      ))}
      {shown.length > max && <span className="text-sm text-faint">+{shown.length - max}</span>}
    </span>
  );
}

/** Start or stop, whichever applies, and the menu with the rest. */
export function QuickActions({
  workspace,
  actions,
  menu,
  active,
}: Pick<ItemProps, "workspace" | "actions" | "menu" | "active">) {
  const tabIndex = active ? 0 : -1;
  return (
    <>
      {allows(workspace.state, "start") && (
        <IconButton
          label={`Start ${workspace.name}`}
          icon={<Play size={14} />}
          size="small"
          tabIndex={tabIndex}
          onClick={(event) => {
            event.stopPropagation();
            actions.run("start", [workspace]);
          }}
        />
      )}
      {allows(workspace.state, "stop") && (
        <IconButton
          label={`Stop ${workspace.name}`}
          icon={<Power size={14} />}
          size="small"
          tabIndex={tabIndex}
          onClick={(event) => {
            event.stopPropagation();
            actions.run("stop", [workspace]);
          }}
        />
      )}
      <Menu entries={menu()} align="end">
        <IconButton
          label={`More for ${workspace.name}`}
          icon={<Ellipsis size={14} />}
          size="small"
          tabIndex={tabIndex}
          onClick={(event) => event.stopPropagation()}
        />
      </Menu>
    </>
  );
}
