import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { callKey, callQuery, useClient } from "@/client";
import { Button, Checkbox, Dialog, toastError } from "@/components";
import { plural } from "@/lib/format";
import { type Workspace } from "@/protocol/generated";
import { allows, useEngines } from "@/state/workspaces";
import { type Actions } from "./actions";
import { losingOnStop, stopAskedKey } from "./stopping";

/** A stop that waits for an answer. */
interface Asked {
  action: "stop" | "restart";
  workspaces: readonly Workspace[];
  /** Those that would lose something and were not asked about before. */
  losing: readonly Workspace[];
}

/** The actions with a question before a stop or a restart that would lose what lies outside the volume. */
export function useStopQuestion(actions: Actions) {
  const client = useClient();
  const queries = useQueryClient();
  const engines = useEngines().data ?? [];
  const [asked, setAsked] = useState<Asked | undefined>();

  const ask = async (action: Asked["action"], workspaces: readonly Workspace[]) => {
    const losing = losingOnStop(
      workspaces.filter((workspace) => allows(workspace.state, action)),
      engines,
    );
    const answers = await Promise.all(
      losing.map(({ id }) =>
        // What was answered cannot be read: better asked once more than lost.
        queries.fetchQuery(callQuery(client, "state.get", { key: stopAskedKey(id) })).catch(() => null),
      ),
    );
    const open = losing.filter((_, i) => answers[i] !== true);
    if (open.length === 0) actions.run(action, workspaces);
    else setAsked({ action, workspaces, losing: open });
  };

  const remember = (workspaces: readonly Workspace[]) => {
    for (const { id } of workspaces) {
      const key = stopAskedKey(id);
      queries.setQueryData(callKey("state.get", { key }), true);
      client.call("state.put", { key, value: true }).catch(toastError);
    }
  };

  const asking: Actions = {
    ...actions,
    run: (action, workspaces) => {
      if (action === "stop" || action === "restart") void ask(action, workspaces);
      else actions.run(action, workspaces);
    },
  };
  return {
    actions: asking,
    asked,
    answer: (go: boolean, never: boolean) => {
      setAsked(undefined);
      if (asked === undefined || !go) return;
      if (never) remember(asked.losing);
      actions.run(asked.action, asked.workspaces);
    },
  };
}

/** Says what a stop loses, once. */
export function StopDialog({ asked, answer }: Pick<ReturnType<typeof useStopQuestion>, "asked" | "answer">) {
  const verb = asked?.action === "restart" ? "Restart" : "Stop";
  const [first] = asked?.workspaces ?? [];
  const count = asked?.workspaces.length ?? 0;
  return (
    <Dialog
      open={asked !== undefined}
      onClose={() => answer(false, false)}
      title={count === 1 && first ? `${verb} ${first.name}?` : `${verb} ${plural(count, "workspace")}?`}
    >
      {asked && <StopBody asked={asked} verb={verb} answer={answer} />}
    </Dialog>
  );
}

function StopBody({
  asked,
  verb,
  answer,
}: {
  asked: Asked;
  verb: string;
  answer: (go: boolean, never: boolean) => void;
}) {
  const [never, setNever] = useState(false);
  const one = asked.workspaces.length === 1;
  const again = one ? "Do not ask again for this workspace" : "Do not ask again for these workspaces";
  return (
    <div className="flex flex-col gap-4">
      {!one && (
        <p className="break-words text-muted">
          This concerns {asked.losing.map((workspace) => workspace.name).join(", ")}:
        </p>
      )}
      <p className="text-muted">
        Only the volume stays: files in the workspace folder and home. What was installed elsewhere goes.
      </p>
      <Checkbox checked={never} onChange={setNever} label={again}>
        {again}
      </Checkbox>
      <div className="flex justify-end gap-2">
        {/* A stray Enter must not stop anything. */}
        <Button kind="ghost" autoFocus onClick={() => answer(false, false)}>
          Cancel
        </Button>
        <Button kind="primary" onClick={() => answer(true, never)}>
          {one ? `${verb} workspace` : `${verb} ${plural(asked.workspaces.length, "workspace")}`}
        </Button>
      </div>
    </div>
  );
}
