import { ErrorState, StateLabel, Switch } from "@/components";
import { formatBytes } from "@/lib/format";
import {
  type LocalModelSettings,
  type LocalScan,
  type Runtime,
  type RuntimeFound,
} from "@/protocol/generated";
import { TextSetting } from "../../controls";
import { Group, Row } from "../../Page";
import { type Engines, type ImageInUse, imagesInUse } from "./containers";
import { Prose } from "./Prose";
import { Problem } from "./Steps";
import { RUNTIMES } from "./servers";
import { Updatable, type UpdateContext } from "./Updatable";
import { useChangeLocal } from "./useLocal";

const PATHS: Record<Runtime, { key: "llama_server" | "vllm"; label: string; help: string; example: string }> =
  {
    llama_cpp: {
      key: "llama_server",
      label: "llama-server",
      help: "Path of the program; empty for the one that is found.",
      example: "/usr/local/bin/llama-server",
    },
    vllm: {
      key: "vllm",
      label: "vLLM",
      help: "Path of a Python that has vLLM, or of a vllm program; empty for the one that is found.",
      example: "/home/me/venv/bin/python",
    },
  };

/** The programs and images that serve models, and whether several may be in memory. */
export function Programs({
  local,
  scan,
  context,
}: {
  local: LocalModelSettings;
  scan: LocalScan | undefined;
  context: UpdateContext;
}) {
  const change = useChangeLocal();
  const engines = scan?.engines ?? [];
  return (
    <Group title="Programs and images">
      {(Object.keys(PATHS) as Runtime[]).map((runtime) => {
        const { key, label, help, example } = PATHS[runtime];
        const found = scan?.runtimes.find((each) => each.runtime === runtime);
        return (
          <Row key={runtime}>
            <TextSetting
              label={label}
              description={help}
              mono
              value={local[key] ?? ""}
              placeholder={found?.path ?? example}
              check={() => undefined}
              onCommit={(path) => change.mutate((now) => ({ ...now, [key]: path === "" ? undefined : path }))}
            />
            {found && (
              <Updatable of={{ kind: "program", runtime }} what={label} way={found.update} context={context}>
                <Found found={found} engines={engines} />
              </Updatable>
            )}
          </Row>
        );
      })}
      {imagesInUse(local.servers, engines).map((used) => (
        <Row key={`${used.engine} ${used.image}`}>
          <UsedImage used={used} context={context} />
        </Row>
      ))}
      <Row>
        <Switch
          label="Load more than fits"
          description="Several models at once although together they need more memory than there is free. The machine may grow slow."
          checked={local.overcommit}
          onChange={(overcommit) => change.mutate((now) => ({ ...now, overcommit }))}
        />
      </Row>
      {change.error && (
        <Row>
          <ErrorState compact title="The setting was not kept" error={change.error} />
        </Row>
      )}
    </Group>
  );
}

function Found({
  found: { runtime, path, version, problem },
  engines,
}: {
  found: RuntimeFound;
  engines: Engines;
}) {
  if (problem !== undefined) {
    const engine = engines.find((each) => each.problem === undefined);
    return (
      <>
        <div role="status" className="text-sm text-starting">
          <Problem text={problem} />
        </div>
        {engine && (
          <p className="text-sm text-faint">
            {engine.name} runs models in a container as well: choose so when you add one.
          </p>
        )}
      </>
    );
  }
  return (
    <p className="flex flex-wrap items-center gap-x-2 text-sm text-faint">
      <StateLabel tone="running">Found</StateLabel>
      <span className="min-w-0 font-mono break-all select-text">{path ?? RUNTIMES[runtime].program}</span>
      {version !== undefined && <span className="min-w-0 break-all select-text">version {version}</span>}
    </p>
  );
}

/** An image that models run in. */
function UsedImage({ used, context }: { used: ImageInUse; context: UpdateContext }) {
  const { engine, engineName, image, bytes, isMissing, problem } = used;
  return (
    <section aria-label={`Image ${image}`}>
      <p className="min-w-0 font-mono text-sm break-all select-text">{image}</p>
      <Updatable
        of={{ kind: "image", engine, image }}
        what={image}
        way={isMissing || problem !== undefined ? undefined : { kind: "here", versions: false }}
        context={context}
      >
        <p className="text-sm text-faint">
          {problem === undefined ? (
            <>
              Image on {engineName}
              {isMissing && ": not there yet, pulled when a model needs it"}
              {bytes !== undefined && `, ${formatBytes(bytes)}`}
            </>
          ) : (
            <span className="text-starting">
              {engineName}: <Prose text={problem} />
            </span>
          )}
        </p>
      </Updatable>
    </section>
  );
}
