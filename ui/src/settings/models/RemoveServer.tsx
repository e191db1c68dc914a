import { useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { callKey } from "@/client";
import { Button, Dialog, IconButton, toast, toastError } from "@/components";
import { nextRow } from "@/lib/focus";
import { type Settings } from "@/protocol/generated";
import { useChangeAll } from "@/state/settings";
import { namesOf, withoutServer, withServerAgain } from "./removal";

/**
 * Removes a server and mends the names that lead to it, which are told before; undo brings all of it back but a key.
 * The focus goes to the next row, or to what adds one.
 */
export function RemoveServer({
  server,
  settings,
  label,
  hasKey = false,
  stays,
  add,
}: {
  server: { id: string; name: string };
  settings: Settings;
  label: string;
  hasKey?: boolean;
  /** What is not removed, a sentence. */
  stays?: string;
  add: RefObject<HTMLButtonElement | null>;
}) {
  const queries = useQueryClient();
  const change = useChangeAll(
    () => void queries.invalidateQueries({ queryKey: callKey("models.discover", {}) }),
  );
  const button = useRef<HTMLButtonElement>(null);
  const [asked, setAsked] = useState(false);
  const names = namesOf(settings.models, server);
  const remove = () => {
    const next = nextRow(button.current);
    // The section goes with its server: what follows must not depend on it.
    void change
      .mutateAsync((now) => withoutServer(now, server))
      .then(() => {
        setAsked(false);
        (next?.isConnected === true ? next : add.current)?.focus();
        if (hasKey) return;
        toast({
          message: `${server.name} was removed.`,
          hint: stays,
          action: {
            label: "Undo",
            run: () =>
              void change.mutateAsync((now) => withServerAgain(now, settings, server)).catch(toastError),
          },
        });
      }, toastError);
  };
  return (
    <>
      <IconButton
        ref={button}
        label={label}
        size="small"
        icon={<Trash2 size={14} />}
        onClick={() => (hasKey || names.length > 0 ? setAsked(true) : remove())}
      />
      <Dialog
        open={asked}
        onClose={() => setAsked(false)}
        title={`Remove ${server.name}?`}
        footer={
          <>
            <Button onClick={() => setAsked(false)}>Cancel</Button>
            <Button kind="danger" busy={change.isPending} onClick={remove}>
              {label}
            </Button>
          </>
        }
      >
        <div className="flex flex-col gap-2">
          {hasKey && <p>Its key is forgotten with it, and would have to be given anew.</p>}
          {names.length > 0 && (
            <>
              <p>{names.length === 1 ? "A name leads" : "Names lead"} to it:</p>
              <ul aria-label="Names that lead to it" className="flex flex-col gap-1">
                {names.map(({ name, isOnly }) => (
                  <li key={name} className="min-w-0 break-words text-muted">
                    <code className="font-mono text-sm font-semibold break-all text-fg">{name}</code>{" "}
                    {isOnly ? "leads only here, and is removed too." : "goes on with its other models."}
                  </li>
                ))}
              </ul>
            </>
          )}
        </div>
      </Dialog>
    </>
  );
}
