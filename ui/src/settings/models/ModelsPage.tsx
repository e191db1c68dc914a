import { Plus } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ErrorState } from "@/components";
import { cx } from "@/lib/cx";
import { type Settings } from "@/protocol/generated";
import { type ModelsPart, openModels } from "@/state/navigation";
import { NumberSetting } from "../controls";
import { Group, Page, Row } from "../Page";
import { SECONDS } from "./check";
import { FoundServers } from "./FoundServers";
import { GetModel, Providers } from "./GetModel";
import { LimitsPart } from "./limits/LimitsPart";
import { LocalPart } from "./local/LocalPart";
import { Names } from "./Names";
import { ProgramsPart } from "./ProgramsPart";
import { ServerForm } from "./ServerForm";
import { ServerSection } from "./ServerSection";
import { emptyDraft, filledIn, type Preset, type ServerDraft } from "./servers";
import { namesToTry, TryModel } from "./TryModel";
import { useChangeModels, useServerStates } from "./useModels";

const PARTS: readonly { part: ModelsPart; title: string }[] = [
  { part: "servers", title: "Servers and names" },
  { part: "local", title: "On this machine" },
  { part: "limits", title: "Limits and prices" },
  { part: "programs", title: "Other programs" },
];

export function ModelsPage({
  settings,
  part = "servers",
}: {
  settings: Settings;
  part?: ModelsPart | undefined;
}) {
  return (
    <Page title="Models" width="list">
      <nav
        aria-label="Parts of the settings of models"
        className="-mt-2 flex gap-1 overflow-x-auto border-b border-line"
      >
        {PARTS.map((entry) => (
          <button
            key={entry.part}
            type="button"
            // On a narrow screen the row scrolls.
            ref={entry.part === part ? (tab) => tab?.scrollIntoView({ block: "nearest" }) : undefined}
            aria-current={entry.part === part ? "page" : undefined}
            onClick={() => openModels(entry.part)}
            className={cx(
              "-mb-px shrink-0 border-b-2 px-2 py-1.5 whitespace-nowrap pointer-coarse:py-2.5 focus-visible:-outline-offset-2",
              entry.part === part ? "border-accent text-fg" : "border-transparent text-muted hover:text-fg",
            )}
          >
            {entry.title}
          </button>
        ))}
      </nav>
      <Part settings={settings} part={part} />
    </Page>
  );
}

function Part({ settings, part }: { settings: Settings; part: ModelsPart }) {
  switch (part) {
    case "servers":
      return <ServersPart settings={settings} />;
    case "local":
      return <LocalPart settings={settings} />;
    case "limits":
      return <LimitsPart settings={settings} />;
    case "programs":
      return <ProgramsPart settings={settings} />;
  }
}

/** Model servers that answer at an address, and names that lead to their models. */
function ServersPart({ settings }: { settings: Settings }) {
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
    <>
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
            settings={settings}
            states={states.data ?? []}
            saidAt={states.dataUpdatedAt}
            asking={states.isFetching}
            add={add}
          />
        ))}
      </section>

      <FoundServers models={models} />
      {isEmpty && <GetModel hasLocal={settings.local_models.servers.length > 0} />}
      {(!isEmpty || settings.local_models.servers.length > 0) && (
        <Names settings={settings} states={states.data ?? []} />
      )}
      {!isEmpty && (
        <section className="flex flex-col gap-2" aria-label="Try a model">
          <h2 className="font-semibold text-muted">Try a model</h2>
          <TryModel names={namesToTry(models, states.data ?? [])} />
        </section>
      )}
      {!isEmpty && <TimeLimits settings={settings} />}
    </>
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
      <Row>
        <NumberSetting
          label="Waiting for a busy server"
          description="Where all servers of a model have as many requests as they may; 0 to refuse at once."
          min={0}
          max={SECONDS.max}
          unit="s"
          value={models.queue_seconds}
          onCommit={(queue_seconds) => change.mutate((now) => ({ ...now, queue_seconds }))}
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
