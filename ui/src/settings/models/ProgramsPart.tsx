import { KeyRound } from "lucide-react";
import { useState } from "react";
import { useAction } from "@/client";
import { Button, CommandLine, ErrorState, Switch } from "@/components";
import { type OwnAccess, type Settings } from "@/protocol/generated";
import { NumberSetting } from "../controls";
import { Group, Row } from "../Page";
import { useChangeModels } from "./useModels";

/** Taken where nobody chose another. */
const USUAL_PORT = 4790;

/** How programs of this machine, outside of workspaces, reach the models. */
export function ProgramsPart({ settings: { models } }: { settings: Settings }) {
  const change = useChangeModels();
  const { listen_port } = models;
  return (
    <>
      <p className="text-muted">
        Programs in workspaces reach the models by themselves. Those that run on this machine itself, an
        editor or a script, ask at a port that only this machine sees, with a key.
      </p>
      <Group title="Address">
        <Row>
          <Switch
            label="Answer programs of this machine"
            description={
              listen_port === undefined
                ? "Nothing listens now."
                : `Only this machine can reach it: http://127.0.0.1:${listen_port}/v1`
            }
            checked={listen_port !== undefined}
            disabled={change.isPending}
            onChange={(on) => change.mutate((now) => ({ ...now, listen_port: on ? USUAL_PORT : undefined }))}
          />
        </Row>
        {listen_port !== undefined && (
          <Row>
            <NumberSetting
              label="Port"
              description="On 127.0.0.1. Another one where this is taken."
              min={1}
              max={65_535}
              value={listen_port}
              onCommit={(port) => change.mutate((now) => ({ ...now, listen_port: port }))}
            />
          </Row>
        )}
        {change.error && (
          <Row>
            <ErrorState compact title="The port was not kept" error={change.error} />
          </Row>
        )}
      </Group>
      <Key listens={listen_port !== undefined} />
    </>
  );
}

/** Makes a key, shown once. It is not kept on this page. */
function Key({ listens }: { listens: boolean }) {
  const access = useAction("models.access");
  const made = access.data;
  return (
    <section className="flex flex-col gap-2" aria-label="Key">
      <h2 className="font-semibold text-muted">Key</h2>
      <p className="text-muted">
        A key is shown once. With a new one, those made before end: programs that use them must be given the
        new one.
      </p>
      <span>
        <Button
          icon={<KeyRound size={14} aria-hidden />}
          disabled={!listens}
          busy={access.isPending}
          onClick={() => access.mutate({})}
        >
          {made === undefined ? "Make a key" : "Make a new key"}
        </Button>
      </span>
      {!listens && <p className="text-sm text-faint">Switch on the address first: the key is for it.</p>}
      {access.error && <ErrorState compact title="No key was made" error={access.error} />}
      {made && listens && <Made access={made} />}
    </section>
  );
}

const SHELLS = [
  {
    label: "bash, zsh",
    line: ({ url, key }: OwnAccess) => `export OPENAI_BASE_URL=${url} OPENAI_API_KEY=${key}`,
  },
  {
    label: "PowerShell",
    line: ({ url, key }: OwnAccess) => `$env:OPENAI_BASE_URL="${url}"; $env:OPENAI_API_KEY="${key}"`,
  },
] as const;

function Made({ access }: { access: OwnAccess }) {
  const [at, setAt] = useState(0);
  const shell = SHELLS[at] ?? SHELLS[0];
  return (
    <div role="status" className="flex flex-col gap-3 rounded-md border border-line-strong p-3">
      <p className="font-medium">Copy it now: it is not shown again.</p>
      <dl className="flex flex-col gap-2">
        {[
          ["Address", access.url],
          ["Key", access.key],
        ].map(([word, value]) => (
          <div key={word} className="flex flex-col gap-1">
            <dt className="text-sm font-medium text-muted">{word}</dt>
            <dd>
              <CommandLine command={value ?? ""} />
            </dd>
          </div>
        ))}
      </dl>
      <div className="flex flex-col gap-1">
        <div role="group" aria-label="Shell" className="flex gap-1">
          {SHELLS.map(({ label }, index) => (
            <button
              key={label}
              type="button"
              aria-pressed={index === at}
              onClick={() => setAt(index)}
              className="h-6 rounded-sm px-2 text-sm text-muted hover:bg-hover hover:text-fg aria-pressed:bg-active aria-pressed:text-fg"
            >
              {label}
            </button>
          ))}
        </div>
        <CommandLine command={shell.line(access)} />
      </div>
    </div>
  );
}
