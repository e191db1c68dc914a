import { CommandLine } from "@/components";

/** No model file was found: how to get one, online and off. */
export function NoModelFile({ folders }: { folders: readonly string[] }) {
  const folder = folders[0];
  return (
    <section
      aria-label="How to get a model"
      className="flex flex-col gap-2 rounded-md border border-line bg-surface p-3"
    >
      <h3 className="font-semibold">No model lies on this machine yet</h3>
      <ol className="flex list-decimal flex-col gap-1.5 pl-5 text-muted">
        <li>
          Get a GGUF file: one of some 4 billion parameters as Q4_K_M takes about 3 GB and answers well on
          most machines.
        </li>
        <li>
          With a network, for instance:
          <CommandLine command="hf download Qwen/Qwen3-4B-GGUF Qwen3-4B-Q4_K_M.gguf" />
        </li>
        <li>
          Offline: copy the .gguf file from another machine, on a stick or over your own network. Nothing else
          is needed.
        </li>
        <li>
          {folder === undefined ? (
            <>Put it into any folder, and name that folder below.</>
          ) : (
            <>
              Put it into <code className="font-mono text-sm break-all text-fg select-text">{folder}</code>,
              or name its folder below. Then look again.
            </>
          )}
        </li>
      </ol>
    </section>
  );
}
