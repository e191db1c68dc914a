import { type ReactNode, useId, useState } from "react";
import { Button, Dialog, Fold, ProgressBar } from "@/components";
import {
  type LocalServer,
  type LocalServerSettings,
  type ProgramUpdate,
  type UpdateOf,
  type UpdateWay,
} from "@/protocol/generated";
import { Prose } from "./Prose";
import { Steps } from "./Steps";
import { outcome, stoppedBy, updateOf } from "./updates";
import { useUpdateActions } from "./useLocal";

/** What all that can be brought up to date have in common. */
export interface UpdateContext {
  servers: readonly LocalServerSettings[];
  states: readonly LocalServer[];
  updates: readonly ProgramUpdate[];
  offline: boolean;
}

/** Something that can be brought up to date: what it is now, the way there, and how far it is. */
export function Updatable({
  of,
  what,
  way,
  context,
  children,
}: {
  of: UpdateOf;
  /** Its name. */
  what: string;
  /** Absent where it cannot be brought up to date. */
  way: UpdateWay | undefined;
  context: UpdateContext;
  /** What it is now. */
  children: ReactNode;
}) {
  const { servers, states, updates, offline } = context;
  const act = useUpdateActions();
  const why = useId();
  /** The version that is asked for, while it is asked whether servers may stop. */
  const [asked, setAsked] = useState<{ version: string | undefined }>();
  const phase = updateOf(updates, of)?.phase;
  const stopped = stoppedBy(of, servers, states);
  const start = (version?: string) => act.update({ of, ...(version === undefined ? {} : { version }) });
  const ask = (version?: string) => (stopped.length > 0 ? setAsked({ version }) : start(version));
  const isHere = way?.kind === "here";
  const isRunning = phase?.kind === "running";
  return (
    <div className="mt-1 flex flex-col gap-1.5">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <div className="min-w-0 flex-1 basis-60">{children}</div>
        {(isRunning || isHere) && (
          // One button for both: it keeps the focus as it becomes the other.
          <Button
            size="small"
            aria-label={isRunning ? `Cancel the update of ${what}` : `Update ${what}`}
            aria-describedby={offline && !isRunning ? why : undefined}
            aria-busy={act.isPending || undefined}
            disabled={offline && !isRunning}
            onClick={() => {
              if (act.isPending) return;
              if (isRunning) act.cancel(of);
              else ask();
            }}
          >
            {isRunning ? "Cancel" : "Update"}
          </Button>
        )}
      </div>
      {isHere && offline && !isRunning && (
        <p id={why} className="text-sm text-faint">
          Offline: an update would be fetched from elsewhere.
        </p>
      )}
      {way?.kind === "by_hand" && (
        <Fold small label="How to update it">
          <Steps text={way.how} />
        </Fold>
      )}
      {phase && (
        <Phase
          phase={phase}
          what={what}
          goesBack={isHere && way.versions}
          offline={offline}
          onBack={ask}
          onRetry={() => ask()}
        />
      )}
      <Dialog
        open={asked !== undefined}
        onClose={() => setAsked(undefined)}
        title={asked?.version === undefined ? `Update ${what}?` : `Go back to ${what} ${asked.version}?`}
        footer={
          <>
            <Button onClick={() => setAsked(undefined)}>Cancel</Button>
            <Button
              kind="primary"
              onClick={() => {
                start(asked?.version);
                setAsked(undefined);
              }}
            >
              {asked?.version === undefined ? "Stop and update" : "Stop and go back"}
            </Button>
          </>
        }
      >
        <p>
          {stopped.length === 1
            ? "A model that runs with it is stopped first"
            : "Models that run with it are stopped first"}
          , and requests on their way end with an error:
        </p>
        <ul aria-label="Models that are stopped" className="mt-1 list-disc pl-5">
          {stopped.map((name) => (
            <li key={name} className="font-mono text-sm break-all">
              {name}
            </li>
          ))}
        </ul>
        <p className="mt-2 text-muted">
          The next request starts {stopped.length === 1 ? "it" : "them"} again.
        </p>
      </Dialog>
    </div>
  );
}

function Phase({
  phase,
  what,
  goesBack,
  offline,
  onBack,
  onRetry,
}: {
  phase: ProgramUpdate["phase"];
  what: string;
  /** The version before can be had again. */
  goesBack: boolean;
  offline: boolean;
  onBack: (version: string) => void;
  onRetry: () => void;
}) {
  switch (phase.kind) {
    case "running":
      return (
        <ProgressBar
          label={`Updating ${what}`}
          progress={phase.progress}
          step={phase.step ?? "Getting ready"}
        />
      );
    case "done": {
      const { sentence, back } = outcome(what, phase, goesBack);
      return (
        <p role="status" className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
          <span className="min-w-0 break-all text-running tabular-nums select-text">{sentence}</span>
          {back !== undefined && (
            <Button size="small" kind="ghost" disabled={offline} onClick={() => onBack(back)}>
              Go back to {back}
            </Button>
          )}
        </p>
      );
    }
    case "failed":
      return (
        <div role="alert" className="flex flex-col items-start gap-1.5 rounded-md bg-surface px-3 py-2">
          <p className="font-medium">{what} was not updated</p>
          <p className="max-w-full break-words text-muted select-text">
            <Prose text={phase.why} keep={what} />
          </p>
          <Button size="small" disabled={offline} onClick={onRetry}>
            Try again
          </Button>
        </div>
      );
    case "cancelled":
      return (
        <p role="status" className="text-sm text-faint">
          The update was called off.
        </p>
      );
  }
}
