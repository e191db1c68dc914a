import { FolderOpen, FolderPlus, X } from "lucide-react";
import { useState } from "react";
import { sentence, useCapability, useClient } from "@/client";
import { Button, ErrorState, Field, IconButton, Input, toastError } from "@/components";
import { type LocalModelSettings, type LocalScan } from "@/protocol/generated";
import { folderProblem, withFolder, withoutFolder } from "./servers";
import { useChangeLocal } from "./useLocal";

/** Which folders are looked through for models. */
export function Folders({ local, scan }: { local: LocalModelSettings; scan: LocalScan | undefined }) {
  const change = useChangeLocal();
  const folders = [...new Set([...local.folders, ...(scan?.folders ?? [])])];
  return (
    <section className="flex flex-col gap-2" aria-label="Folders">
      <h2 className="font-semibold text-muted">Folders that are looked through</h2>
      {folders.length > 0 && (
        <ul className="divide-y divide-line rounded-md border border-line">
          {folders.map((folder) => (
            <li key={folder} className="flex min-h-8 items-center gap-2 py-1 pr-1 pl-3">
              <span className="min-w-0 flex-1 font-mono text-sm break-all select-text">{folder}</span>
              {local.folders.includes(folder) ? (
                <IconButton
                  label={`Do not look in ${folder}`}
                  size="small"
                  icon={<X size={14} />}
                  onClick={() => change.mutate((now) => withoutFolder(now, folder), { onError: toastError })}
                />
              ) : (
                <span className="pr-2 text-sm text-faint">Always looked at</span>
              )}
            </li>
          ))}
        </ul>
      )}
      {scan?.unreadable.map((why) => (
        <p key={why} className="text-sm break-words text-failed select-text">
          {sentence(why)}
        </p>
      ))}
      <FolderField local={local} />
    </section>
  );
}

/** Adds a folder to look in: typed, or chosen where the host has a dialog for it. */
export function FolderField({ local }: { local: LocalModelSettings }) {
  const client = useClient();
  const change = useChangeLocal();
  const canChoose = useCapability("dialogs");
  const [text, setText] = useState("");
  const [asked, setAsked] = useState(false);
  const problem = folderProblem(text.trim(), local);
  const add = (folder: string) =>
    change.mutate((now) => withFolder(now, folder), {
      onSuccess: () => {
        setText("");
        setAsked(false);
      },
    });
  const choose = async () => {
    const folder = await client.pickFolder();
    if (folder !== null) add(folder);
  };
  return (
    <form
      aria-label="Add a folder"
      className="flex min-w-0 flex-1 flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setAsked(true);
        if (problem === undefined) add(text.trim());
      }}
    >
      <Field
        label="Look in another folder too"
        error={asked && text !== "" ? problem : undefined}
        className="min-w-0"
      >
        {(ids) => (
          <span className="flex flex-wrap gap-2">
            <Input
              {...ids}
              mono
              placeholder="/home/me/models"
              value={text}
              invalid={asked && text !== "" && problem !== undefined}
              onChange={(event) => setText(event.target.value)}
              className="min-w-40 flex-1"
            />
            {canChoose && (
              <IconButton
                label="Choose a folder"
                icon={<FolderOpen size={14} />}
                onClick={() => void choose().catch(toastError)}
              />
            )}
            <Button type="submit" busy={change.isPending} icon={<FolderPlus size={14} aria-hidden />}>
              Add folder
            </Button>
          </span>
        )}
      </Field>
      {change.error && <ErrorState compact title="The folder was not added" error={change.error} />}
    </form>
  );
}
