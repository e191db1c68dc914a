import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Box, ChevronRight, Container, Folder, FolderOpen, GitBranch } from "lucide-react";
import { useId, useState } from "react";
import { callKey, callQuery, useAction, useCall, useCapability, useClient } from "@/client";
import { Button, ErrorState, IconButton, toastError } from "@/components";
import { cx } from "@/lib/cx";
import { type EngineInfo, type Workspace } from "@/protocol/generated";
import { openSettings } from "@/state/navigation";
import { useChangePart } from "@/state/settings";
import { useEngines } from "@/state/workspaces";
import { CreateDetails } from "./CreateDetails";
import { NO_DETAILS, toRequest, type Details } from "./draft";
import { can, engineFor } from "./engine";
import { offlineProblems } from "./offline";
import { recognise, type Reading } from "./recognise";

const ICONS = { git: GitBranch, folder: Folder, image: Container, name: Box };
const KINDS = { git: "Git repository", folder: "Folder", image: "Image", name: "Name" };

export interface CreateFormProps {
  initial?: string;
  autoFocus?: boolean;
  onCreated: (id: string) => void;
  onCancel?: () => void;
}

/** One field that recognises what was typed; everything else folded away with good defaults. */
export function CreateForm({ initial = "", autoFocus = false, onCreated, onCancel }: CreateFormProps) {
  const [text, setText] = useState(initial);
  const [chosen, setChosen] = useState<Reading["kind"] | undefined>();
  const [details, setDetails] = useState<Details>(NO_DETAILS);
  const [open, setOpen] = useState(false);
  const engines = useEngines().data ?? [];
  const settings = useCall("settings.get", {}).data;
  const localFolders = useCapability("local_folders");
  const dialogs = useCapability("dialogs");
  const client = useClient();
  const queries = useQueryClient();
  const create = useAction("workspace.create");
  const helpId = useId();

  const offline = settings?.offline ?? false;
  const engine = engineFor(engines, details.engine, settings);
  const images = useEngineImages(engine, offline || open);
  const goOnline = useChangePart("offline");

  const readings = recognise(text);
  const reading = readings.find((entry) => entry.kind === chosen) ?? readings[0];
  if (!reading) return null;
  const missing = offline ? offlineProblems(reading, details, engine, images.data) : {};
  const asked = toRequest(reading, details, engine);
  const { request } = asked;
  const problems = { ...missing, ...asked.problems };
  const anyReady = engines.some((engine) => engine.health === "ready");
  const problem =
    reading.problem ??
    (reading.kind === "folder" && !localFolders
      ? "This host does not mount its own folders; give a Git URL instead."
      : (problems.source ?? (open ? undefined : missing.image)));
  const blocked = problem !== undefined || Object.keys(problems).length > 0;
  const Icon = ICONS[reading.kind];

  const submit = () => {
    if (blocked || create.isPending) {
      if (Object.keys(problems).length > 0) setOpen(true);
      return;
    }
    // The new workspace's event may come before the reply and take this form away with the first-run screen: a
    // promise goes on where a callback of the mutation would be dropped.
    create.mutateAsync(request).then(
      (workspace) => {
        queries.setQueryData<Workspace[]>(callKey("workspace.list", {}), (old) =>
          old?.filter((entry) => entry.id !== workspace.id).concat(workspace),
        );
        onCreated(workspace.id);
      },
      () => {
        // Shown by `create.error`.
      },
    );
  };

  const pickFolder = async () => {
    const folder = await client.pickFolder();
    if (folder === null) return;
    setText(folder);
    setChosen("folder");
  };

  return (
    <form
      className="flex flex-col gap-3 text-left"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className="flex h-9 items-center gap-2 rounded-md border border-line-strong bg-canvas px-3 focus-within:border-focus focus-within:outline focus-within:outline-1 focus-within:outline-focus">
        <Icon size={16} className="shrink-0 text-faint" aria-hidden />
        <input
          autoFocus={autoFocus}
          aria-label="What to make a workspace from"
          aria-describedby={helpId}
          aria-invalid={problem !== undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder="Git URL, folder, image or name"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setChosen(undefined);
          }}
          className="min-w-0 flex-1 bg-transparent text-base text-fg outline-none focus-visible:outline-none"
        />
        {dialogs && localFolders && (
          <IconButton
            label="Choose a folder"
            icon={<FolderOpen size={16} />}
            onClick={() => void pickFolder()}
            className="-mr-2"
          />
        )}
      </div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <p
          id={helpId}
          aria-live="polite"
          className={cx(
            "min-w-0 flex-1 basis-60 break-words",
            problem === undefined ? "text-muted" : "text-failed",
          )}
        >
          {problem ?? reading.sentence}
          {problem === undefined && offline && images.isError && (
            <span className="block text-sm text-faint">
              Offline: images and repositories that are not on this machine are not fetched.
            </span>
          )}
        </p>
        {(missing.source ?? missing.image) !== undefined && (
          <Button
            size="small"
            busy={goOnline.isPending}
            onClick={() => goOnline.mutate(() => false, { onError: toastError })}
          >
            Go online
          </Button>
        )}
        {readings.length > 1 && (
          <div role="radiogroup" aria-label="Read as" className="flex gap-0.5 rounded-md bg-hover p-0.5">
            {readings.map((entry) => (
              <button
                key={entry.kind}
                type="button"
                role="radio"
                aria-checked={entry.kind === reading.kind}
                onClick={() => setChosen(entry.kind)}
                className={cx(
                  "h-5 rounded-sm px-2 text-sm pointer-coarse:h-7",
                  entry.kind === reading.kind ? "bg-raised text-fg" : "text-muted hover:text-fg",
                )}
              >
                {KINDS[entry.kind]}
              </button>
            ))}
          </div>
        )}
      </div>

      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex items-center gap-1 self-start rounded-sm text-muted hover:text-fg"
      >
        <ChevronRight size={14} className={cx("transition-transform", open && "rotate-90")} aria-hidden />
        Details
        {!open && <span className="ml-1 text-faint">{summary(reading, details, engine)}</span>}
      </button>
      {open && (
        <CreateDetails
          reading={reading}
          details={details}
          onChange={setDetails}
          problems={problems}
          engines={engines}
          engine={engine}
          settings={settings}
          images={images.data ?? []}
        />
      )}

      <div
        className={cx(
          "flex flex-col gap-3",
          // In a dialog, the way on and what stands in it stay in view while the details scroll.
          onCancel && "sticky -bottom-4 -mx-4 -mb-4 border-t border-line bg-raised px-4 py-3",
        )}
      >
        {create.error && <ErrorState compact title="The workspace was not created" error={create.error} />}
        {!anyReady && engines.length > 0 && (
          <div className="flex flex-wrap items-center justify-between gap-2">
            <p className="text-failed">No engine is ready, so nothing can be created now.</p>
            {onCancel && engines.some((entry) => entry.health === "off") && (
              <Button
                size="small"
                onClick={() => {
                  onCancel();
                  openSettings("engines");
                }}
              >
                Use a cluster
              </Button>
            )}
          </div>
        )}
        <div className="flex justify-end gap-2">
          {onCancel && (
            <Button kind="ghost" onClick={onCancel}>
              Cancel
            </Button>
          )}
          <Button kind="primary" type="submit" busy={create.isPending} disabled={blocked || !anyReady}>
            Create workspace
          </Button>
        </div>
      </div>
    </form>
  );
}

function summary(reading: Reading, details: Details, engine: EngineInfo | undefined): string {
  const parts = [
    engine?.name,
    reading.image ?? (details.image.trim() || "base image"),
    details.profile === "standard" ? "standard" : "locked",
    details.memoryGb.trim() !== "" && `${details.memoryGb} GB`,
    details.cpus.trim() !== "" && `${details.cpus} cores`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** Images on an engine that has a store of them, looked for each time that it is asked. */
function useEngineImages(engine: EngineInfo | undefined, wanted: boolean) {
  const client = useClient();
  const hasStore = engine?.health === "ready" && can(engine, "images");
  return useQuery({
    ...callQuery(client, "engine.images", { engine: engine?.id ?? "" }),
    enabled: wanted && hasStore,
    refetchOnMount: "always",
  });
}
