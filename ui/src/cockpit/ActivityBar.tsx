import { Files, PanelBottom, Radio, Search, type LucideIcon } from "lucide-react";
import { useCall } from "@/client";
import { useCommandKeys } from "@/commands";
import { Tooltip } from "@/components";
import { cx } from "@/lib/cx";
import { type SideView } from "./model/layout";
import { useSession } from "./session/context";
import { useModel } from "./useModel";

const VIEWS: readonly { view: SideView; label: string; icon: LucideIcon; command: string }[] = [
  { view: "explorer", label: "Explorer", icon: Files, command: "cockpit.explorer" },
  { view: "search", label: "Search", icon: Search, command: "cockpit.search" },
  { view: "ports", label: "Ports", icon: Radio, command: "cockpit.ports" },
];

export function ActivityBar() {
  const session = useSession();
  const { sideBar, panel } = useModel(session.layout).value;
  const ports = useCall("port.list", { workspace: session.workspace }).data ?? [];
  const listening = ports.filter((port) => port.listening).length;
  const dirty = useModel(session.documents).dirty.length;
  const counts: Partial<Record<SideView, number>> = { ports: listening, explorer: dirty };
  return (
    <nav
      aria-label="Views"
      className="flex w-11 shrink-0 flex-col items-center gap-1 border-r border-line bg-frame py-1.5"
    >
      {VIEWS.map(({ view, label, icon: Icon, command }) => (
        <ActivityButton
          key={view}
          label={label}
          command={command}
          on={sideBar.visible && sideBar.view === view}
          count={counts[view] ?? 0}
          onClick={() => session.showSide(view, true)}
        >
          <Icon size={18} strokeWidth={1.75} aria-hidden />
        </ActivityButton>
      ))}
      <span className="flex-1" />
      <ActivityButton
        label="Terminal panel"
        command="cockpit.panel"
        on={panel.visible}
        count={0}
        onClick={() => session.togglePanel()}
      >
        <PanelBottom size={18} strokeWidth={1.75} aria-hidden />
      </ActivityButton>
    </nav>
  );
}

interface ActivityButtonProps {
  label: string;
  command: string;
  on: boolean;
  count: number;
  onClick: () => void;
  children: React.ReactNode;
}

function ActivityButton({ label, command, on, count, onClick, children }: ActivityButtonProps) {
  const keys = useCommandKeys(command);
  return (
    <Tooltip content={label} keys={keys} side="right">
      <button
        type="button"
        aria-label={count > 0 ? `${label}, ${count}` : label}
        aria-pressed={on}
        onClick={onClick}
        className={cx(
          "relative inline-flex size-8 items-center justify-center rounded-md transition-colors",
          on ? "bg-active text-fg" : "text-muted hover:bg-hover hover:text-fg",
        )}
      >
        {children}
        {count > 0 && (
          <span
            aria-hidden
            className="absolute right-0 bottom-0 min-w-3.5 rounded-full bg-accent px-1 text-center text-[9px] leading-3.5 font-semibold text-accent-fg tabular-nums"
          >
            {count > 99 ? "99" : count}
          </span>
        )}
      </button>
    </Tooltip>
  );
}
