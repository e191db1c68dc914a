import { Container } from "lucide-react";
import { Button, Kbd, StateDot } from "@/components";
import { useCommandKeys } from "@/commands";
import { CreateForm } from "@/create/CreateForm";
import { showOverlay, showWorkspace } from "@/state/navigation";
import { useEngines } from "@/state/workspaces";
import { ClusterOffer } from "./ClusterOffer";
import { EngineProblem } from "./EngineProblem";
import { isTrouble } from "./health";

/** No workspace yet: what this is, and the one thing to do. */
export function FirstRun() {
  const engines = useEngines().data ?? [];
  const ready = engines.filter((engine) => engine.health === "ready");
  const looking = engines.some((engine) => engine.health === "checking");
  const paletteKeys = useCommandKeys("app.palette");
  return (
    <div className="h-full overflow-auto">
      <div className="mx-auto flex max-w-140 flex-col gap-5 px-4 py-[min(12vh,96px)]">
        <div className="flex flex-col gap-1">
          <h1 className="text-xl font-semibold">Create your first workspace</h1>
          <p className="text-muted">
            A workspace is a container with your code, an editor and terminals. What you do inside stays
            inside, and nothing is installed on this machine.
          </p>
        </div>
        <CreateForm autoFocus onCreated={showWorkspace} />
        {ready.length === 0 && !looking && engines.length > 0 && (
          <section aria-labelledby="engines-missing" className="flex flex-col gap-2">
            <h2 id="engines-missing" className="font-semibold">
              An engine is needed to run it
            </h2>
            <ClusterOffer engines={engines} />
            {engines.filter(isTrouble).map((engine) => (
              <EngineProblem key={engine.id} engine={engine} />
            ))}
          </section>
        )}
        <div className="flex flex-wrap items-center gap-x-5 gap-y-2 border-t border-line pt-4 text-sm text-muted">
          {ready.map((engine) => (
            <span key={engine.id} className="inline-flex items-center gap-1.5">
              <StateDot tone="running" /> {engine.name} {engine.version} ready
            </span>
          ))}
          {looking && (
            <span className="inline-flex items-center gap-1.5">
              <StateDot tone="starting" moving /> Looking for engines
            </span>
          )}
          {ready.length > 0 && (
            <Button
              size="small"
              kind="ghost"
              icon={<Container size={14} />}
              onClick={() => showOverlay("import")}
              className="-ml-2"
            >
              Import a running container
            </Button>
          )}
          {paletteKeys !== undefined && (
            <span className="inline-flex items-center gap-1.5">
              Every command: <Kbd keys={paletteKeys} />
            </span>
          )}
        </div>
      </div>
    </div>
  );
}
