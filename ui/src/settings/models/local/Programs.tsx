import { ErrorState, StateLabel, Switch } from "@/components";
import { type LocalModelSettings, type Runtime, type RuntimeFound } from "@/protocol/generated";
import { TextSetting } from "../../controls";
import { Group, Row } from "../../Page";
import { Prose } from "./Prose";
import { RUNTIMES } from "./servers";
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

/** The programs that serve models, and whether several may be in memory. */
export function Programs({
  local,
  runtimes,
}: {
  local: LocalModelSettings;
  runtimes: readonly RuntimeFound[] | undefined;
}) {
  const change = useChangeLocal();
  return (
    <Group title="Programs that serve them">
      {(Object.keys(PATHS) as Runtime[]).map((runtime) => {
        const { key, label, help, example } = PATHS[runtime];
        const found = runtimes?.find((each) => each.runtime === runtime);
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
            {found && <Found found={found} />}
          </Row>
        );
      })}
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

function Found({ found: { runtime, path, version, problem } }: { found: RuntimeFound }) {
  if (problem !== undefined)
    return (
      <p role="status" className="mt-1 text-sm break-words text-starting select-text">
        <Prose text={problem} />
      </p>
    );
  return (
    <p className="mt-1 flex flex-wrap items-center gap-x-2 text-sm text-faint">
      <StateLabel tone="running">Found</StateLabel>
      <span className="min-w-0 font-mono break-all select-text">{path ?? RUNTIMES[runtime].program}</span>
      {version !== undefined && <span className="min-w-0 break-all select-text">version {version}</span>}
    </p>
  );
}
