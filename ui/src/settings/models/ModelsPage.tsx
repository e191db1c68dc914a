import { Plus } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ErrorState } from "@/components";
import { type Settings } from "@/protocol/generated";
import { NumberSetting } from "../controls";
import { Group, Page, Row } from "../Page";
import { SECONDS } from "./check";
import { FoundServers } from "./FoundServers";
import { GetModel, Providers } from "./GetModel";
import { Names } from "./Names";
import { ServerForm } from "./ServerForm";
import { ServerSection } from "./ServerSection";
import { emptyDraft, filledIn, type Preset, type ServerDraft } from "./servers";
import { useChangeModels, useServerStates } from "./useModels";

export function ModelsPage({ settings }: { settings: Settings }) {
  const { models } = settings;
  const states = useServerStates(models);
  const add = useRef<HTMLButtonElement>(null);
  const [draft, setDraft] = useState<ServerDraft>();
  const isEmpty = models.backends.length === 0;
  const begin = (preset?: Preset) =>
    setDraft(preset ? filledIn(emptyDraft(), preset, models.backends) : emptyDraft());
  const end = () => {
    setDraft(undefined);
    add.current?.focus();
  };
  return (
    <Page title="Models">
      <p className="text-muted">
        Every tool in a workspace asks for models at one address, whoever answers. In a workspace’s terminals
        it stands in <code className="font-mono text-sm">OPENAI_BASE_URL</code>, with a key of the workspace’s
        own in <code className="font-mono text-sm">OPENAI_API_KEY</code>.
      </p>

      <section className="flex flex-col gap-3" aria-label="Servers">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h2 className="text-lg font-semibold">{isEmpty ? "No model server yet" : "Servers"}</h2>
          <Button
            ref={add}
            kind={isEmpty ? "primary" : "secondary"}
            icon={<Plus size={14} aria-hidden />}
            aria-expanded={draft !== undefined}
            onClick={() => (draft === undefined ? begin() : end())}
          >
            Add a server
          </Button>
        </div>
        {isEmpty && !draft && <Providers onPreset={begin} />}
        {draft && (
          <section className="rounded-md border border-line-strong p-3" aria-label="New server">
            <ServerForm key={draft.id} initial={draft} models={models} onClose={end} />
          </section>
        )}
        {states.isError && (
          <ErrorState
            compact
            title="How the servers fare could not be read"
            error={states.error}
            onRetry={() => void states.refetch()}
          />
        )}
        {models.backends.map((server) => (
          <ServerSection
            key={server.id}
            server={server}
            models={models}
            states={states.data ?? []}
            saidAt={states.dataUpdatedAt}
            asking={states.isFetching}
          />
        ))}
      </section>

      <FoundServers models={models} />
      {isEmpty && <GetModel />}
      {!isEmpty && <Names models={models} states={states.data ?? []} />}
      {!isEmpty && <TimeLimits settings={settings} />}
    </Page>
  );
}

function TimeLimits({ settings: { models } }: { settings: Settings }) {
  const change = useChangeModels();
  return (
    <Group title="Time limits">
      <Row>
        <NumberSetting
          label="Until an answer begins"
          description="A large prompt on a small machine takes its time. After it, the next server is asked."
          {...SECONDS}
          unit="s"
          value={models.first_byte_seconds}
          onCommit={(first_byte_seconds) => change.mutate((now) => ({ ...now, first_byte_seconds }))}
        />
      </Row>
      <Row>
        <NumberSetting
          label="Between two pieces of an answer"
          description="An answer that stands still for longer is ended."
          {...SECONDS}
          unit="s"
          value={models.idle_seconds}
          onCommit={(idle_seconds) => change.mutate((now) => ({ ...now, idle_seconds }))}
        />
      </Row>
      {change.error && (
        <Row>
          <ErrorState compact title="The time limit was not kept" error={change.error} />
        </Row>
      )}
    </Group>
  );
}
