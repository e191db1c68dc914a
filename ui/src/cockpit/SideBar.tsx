import { useEffect, useEffectEvent, useRef } from "react";
import { Explorer } from "./explorer/Explorer";
import { PortsPane } from "./panels/Ports";
import { SearchView } from "./search/SearchView";
import { useSession } from "./session/context";
import { useModel } from "./useModel";

export function SideBar() {
  const session = useSession();
  const layout = useModel(session.layout);
  const place = useRef<HTMLDivElement>(null);
  const { view } = layout.value.sideBar;
  const version = layout.version();
  const attend = useEffectEvent(() => {
    if (!session.takeSideFocus()) return;
    const inside = (what: string) => place.current?.querySelector<HTMLElement>(what);
    (inside("[data-focus-target]") ?? inside("textarea, input, button"))?.focus();
  });
  useEffect(() => attend(), [version, view]);
  return (
    <div ref={place} data-region="side" className="h-full min-h-0 overflow-hidden bg-surface">
      {view === "explorer" && <Explorer />}
      {view === "search" && <SearchView />}
      {view === "ports" && (
        <section aria-label="Ports" className="flex h-full flex-col">
          <header className="flex h-9 shrink-0 items-center pl-3">
            <h2 className="text-sm font-semibold text-muted">Ports</h2>
          </header>
          <div className="min-h-0 flex-1">
            <PortsPane />
          </div>
        </section>
      )}
    </div>
  );
}
