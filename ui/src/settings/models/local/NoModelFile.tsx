import { CommandLine } from "@/components";
import { type LocalScan } from "@/protocol/generated";
import { imagesFor } from "./containers";
import { engineProgram } from "./PlaceFields";

/** No model file was found: how to get one, and what serves it, online and off. */
export function NoModelFile({ scan: { folders, runtimes, engines } }: { scan: LocalScan }) {
  const folder = folders[0];
  const hasProgram = runtimes.some(({ problem }) => problem === undefined);
  return (
    <section
      aria-label="How to get a model"
      className="flex flex-col gap-2 rounded-md border border-line bg-surface p-3"
    >
      <h3 className="font-semibold">No model lies on this machine yet</h3>
      <ol className="flex list-decimal flex-col gap-1.5 pl-5 text-muted">
        <li>
          Get a GGUF file: one of some 4 billion parameters as Q4_K_M takes about 3 GB and answers well on
          most machines. With a network, for instance:
          <CommandLine command="hf download Qwen/Qwen3-4B-GGUF Qwen3-4B-Q4_K_M.gguf" />
          Offline: copy the .gguf file from another machine, on a stick or over your own network.
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
        <li>
          {hasProgram ? (
            "Nothing else is needed: a program to serve it is here."
          ) : (
            <Serve engines={engines} />
          )}
        </li>
      </ol>
    </section>
  );
}

/** No program serves models here: a container does, where there is an engine. */
function Serve({ engines }: Pick<LocalScan, "engines">) {
  const engine = engines.find(({ problem }) => problem === undefined);
  if (engine === undefined)
    return (
      <>
        Install llama.cpp, which serves it, or Docker or Podman: then it runs in a container. Offline: bring
        either from another machine as a package.
      </>
    );
  const image = imagesFor(engine, "llama_cpp")[0];
  if (image?.bytes !== undefined)
    return <>Nothing else is needed: {engine.name} has an image that serves it in a container.</>;
  const program = engineProgram(engine.engine);
  return (
    <>
      No program is needed: {engine.name} runs it in a container
      {image === undefined ? "" : ", and pulls the image by itself"}. Offline: bring the image as a file that{" "}
      <code className="font-mono text-sm text-fg">{program} save</code> made
      {image === undefined ? "" : ` of ${image.image}`}:
      <CommandLine command={`${program} load --input image.tar`} />
    </>
  );
}
