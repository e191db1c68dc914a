import { type UseQueryResult } from "@tanstack/react-query";
import { CircleAlert, Search } from "lucide-react";
import { useId, useState } from "react";
import { type CallError, sentence } from "@/client";
import { Badge, Button, Dialog, ErrorState, Input, Loading, Skeleton, StateLabel } from "@/components";
import { cx } from "@/lib/cx";
import { type LocalModel, type LocalScan, type Settings } from "@/protocol/generated";
import { FolderField } from "./Folders";
import { LocalForm } from "./LocalForm";
import { NoModelFile } from "./NoModelFile";
import { Templates } from "./Templates";
import { draftOfModel, FITS, matchingModels, modelFacts } from "./servers";

interface AddProps {
  open: boolean;
  onClose: () => void;
  settings: Settings;
  scan: UseQueryResult<LocalScan, CallError>;
}

/** Choosing a model of this machine, and how it is served. */
export function AddModel(props: AddProps) {
  const { open, onClose, settings, scan } = props;
  const [chosen, setChosen] = useState<LocalModel>();
  const close = () => {
    setChosen(undefined);
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={close}
      size="medium"
      title={chosen === undefined ? "Add model" : `Add ${chosen.name}`}
      description={
        chosen === undefined
          ? "Models found on this machine."
          : chosen.estimate && sentence(chosen.estimate.sentence)
      }
    >
      {chosen === undefined ? (
        <Choice {...props} onChoose={setChosen} />
      ) : (
        <LocalForm
          initial={draftOfModel(chosen, settings.local_models, settings.models, scan.data)}
          settings={settings}
          model={chosen}
          scan={scan.data}
          inDialog
          onClose={close}
        />
      )}
    </Dialog>
  );
}

function Choice({ settings, scan, onChoose }: AddProps & { onChoose: (model: LocalModel) => void }) {
  const [query, setQuery] = useState("");
  if (scan.isError)
    return (
      <ErrorState
        compact
        title="This machine could not be looked through for models"
        error={scan.error}
        onRetry={() => void scan.refetch()}
      />
    );
  if (!scan.data)
    return (
      <Loading>
        <Skeleton className="h-40" />
      </Loading>
    );
  const { models, unreadable } = scan.data;
  return (
    <div className="flex flex-col gap-3">
      {models.length === 0 ? (
        <NoModelFile scan={scan.data} />
      ) : (
        <ModelList
          models={matchingModels(models, query)}
          query={query}
          onQuery={setQuery}
          onChoose={onChoose}
        />
      )}
      {unreadable.map((why) => (
        <p key={why} className="text-sm break-words text-failed">
          {sentence(why)}
        </p>
      ))}
      <div className="flex flex-wrap items-end justify-between gap-2">
        <FolderField local={settings.local_models} />
        <Button aria-busy={scan.isFetching || undefined} onClick={() => void scan.refetch()}>
          Look again
        </Button>
      </div>
    </div>
  );
}

function ModelList({
  models,
  query,
  onQuery,
  onChoose,
}: {
  models: readonly LocalModel[];
  query: string;
  onQuery: (query: string) => void;
  onChoose: (model: LocalModel) => void;
}) {
  const id = useId();
  const [at, setAt] = useState(0);
  const active = Math.min(at, models.length - 1);
  const choose = (model: LocalModel | undefined) =>
    model !== undefined && model.problem === undefined && onChoose(model);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1 };
    const to = steps[event.key];
    if (to !== undefined && models.length > 0) {
      event.preventDefault();
      const next = (to + models.length) % models.length;
      setAt(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      choose(models[active]);
    }
  };
  return (
    <>
      <Input
        autoFocus
        role="combobox"
        aria-label="Find a model"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={models.length > 0 ? `${id}-${active}` : undefined}
        placeholder="Filter by name, format or quantization"
        icon={<Search size={14} aria-hidden />}
        value={query}
        onChange={(event) => {
          onQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div
        id={id}
        role="listbox"
        aria-label="Models found"
        // Scrollable content must be reachable by keyboard.
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="max-h-[40vh] overflow-auto rounded-md border border-line p-1"
      >
        {models.map((model, index) => (
          <div
            key={model.path}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            aria-disabled={model.problem !== undefined || undefined}
            tabIndex={-1}
            className={cx(
              "flex flex-col gap-0.5 rounded-sm px-2 py-1.5",
              index === active ? "bg-selected" : "hover:bg-hover",
            )}
            onClick={() => choose(model)}
            onKeyDown={onKeyDown}
          >
            <ModelRow model={model} />
          </div>
        ))}
        {models.length === 0 && <p className="px-2 py-1.5 text-sm text-muted">No model matches.</p>}
      </div>
    </>
  );
}

function ModelRow({ model }: { model: LocalModel }) {
  const { name, format, quantization, problem, estimate, path } = model;
  return (
    <>
      <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="min-w-0 flex-1 basis-40 font-medium break-words">{name}</span>
        <Badge>{format === "gguf" ? "GGUF" : "safetensors"}</Badge>
        {quantization !== undefined && <Badge>{quantization}</Badge>}
        <Templates model={model} />
        {estimate && <StateLabel tone={FITS[estimate.fit].tone}>{FITS[estimate.fit].word}</StateLabel>}
      </span>
      <span className="text-sm text-muted tabular-nums">{modelFacts(model).join(" · ")}</span>
      {estimate && <span className="text-sm break-words text-muted">{sentence(estimate.sentence)}</span>}
      {problem !== undefined && (
        <span className="flex gap-1.5 text-sm text-failed">
          <CircleAlert size={14} className="mt-px shrink-0" aria-hidden />
          <span className="min-w-0 break-words">{sentence(problem)}</span>
        </span>
      )}
      <span className="font-mono text-xs break-all text-muted">{path}</span>
    </>
  );
}
