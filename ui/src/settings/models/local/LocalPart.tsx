import { Plus, RotateCw } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ErrorState, IconButton, Loading, Skeleton } from "@/components";
import { type Settings } from "@/protocol/generated";
import { AddModel } from "./AddModel";
import { Folders } from "./Folders";
import { HardwareLine } from "./HardwareLine";
import { LocalServerSection } from "./LocalServerSection";
import { NoModelFile } from "./NoModelFile";
import { Programs } from "./Programs";
import { useLocalServers, useScan, useUpdates } from "./useLocal";

/** Models that are served on this machine by programs and containers that are started from here. */
export function LocalPart({ settings }: { settings: Settings }) {
  const { local_models: local } = settings;
  const scan = useScan(local);
  const servers = useLocalServers(local);
  const updates = useUpdates();
  const add = useRef<HTMLButtonElement>(null);
  const [adding, setAdding] = useState(false);
  const isEmpty = local.servers.length === 0;
  const hasFiles = scan.data === undefined || scan.data.models.length > 0;
  return (
    <>
      <p className="text-muted">
        A model that lies on this machine is loaded when somebody asks for it, and gives its memory back when
        nobody does. What you ask does not leave the machine.
      </p>

      <section className="flex flex-col gap-3" aria-label="Models on this machine">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h2 className="text-lg font-semibold">{isEmpty ? "No model is set up yet" : "Models"}</h2>
          <span className="flex items-center gap-1">
            <IconButton
              label="Look for models again"
              aria-busy={scan.isFetching || undefined}
              icon={<RotateCw size={14} className={scan.isFetching ? "animate-turn" : undefined} />}
              onClick={() => void scan.refetch()}
            />
            <Button
              ref={add}
              kind={isEmpty && hasFiles ? "primary" : "secondary"}
              icon={<Plus size={14} aria-hidden />}
              onClick={() => setAdding(true)}
            >
              Add model
            </Button>
          </span>
        </div>
        {scan.data && <HardwareLine hardware={scan.data.hardware} />}
        {scan.isPending && (
          <Loading>
            <Skeleton className="h-4 w-60" />
          </Loading>
        )}
        {servers.isError && (
          <ErrorState
            compact
            title="How the models fare could not be read"
            error={servers.error}
            onRetry={() => void servers.refetch()}
          />
        )}
        {scan.isError && (
          <ErrorState
            compact
            title="This machine could not be looked through for models"
            error={scan.error}
            onRetry={() => void scan.refetch()}
          />
        )}
        {local.servers.map((server) => (
          <LocalServerSection
            key={server.id}
            server={server}
            settings={settings}
            state={servers.data?.find(({ id }) => id === server.id)}
            saidAt={servers.dataUpdatedAt}
            scan={scan.data}
            add={add}
          />
        ))}
      </section>

      {scan.data && scan.data.models.length === 0 && isEmpty && <NoModelFile scan={scan.data} />}
      <Folders local={local} scan={scan.data} />
      <Programs
        local={local}
        scan={scan.data}
        context={{
          servers: local.servers,
          states: servers.data ?? [],
          updates: updates.data ?? [],
          offline: settings.offline,
        }}
      />

      <AddModel open={adding} onClose={() => setAdding(false)} settings={settings} scan={scan} />
    </>
  );
}
