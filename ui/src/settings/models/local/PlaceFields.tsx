import { Button, Combobox, CommandLine, Field, Select } from "@/components";
import { type Runtime, type RuntimeFound } from "@/protocol/generated";
import {
  engineOf,
  type Engines,
  imageHelp,
  imageNote,
  imagesFor,
  type PlaceDraft,
  usualPlace,
  withPlace,
} from "./containers";
import { Prose } from "./Prose";
import { Problem } from "./Steps";
import { RUNTIMES } from "./servers";

type Placed = PlaceDraft & { runtime: Runtime };

export interface PlaceProps {
  draft: Placed;
  onChange: (change: Partial<Placed>) => void;
  engines: Engines;
  /** The program for the runtime, as far as it is known. */
  program: RuntimeFound | undefined;
  offline: boolean;
  imageProblem: string | undefined;
}

const GPU: { value: PlaceDraft["gpu"]; label: string }[] = [
  { value: "automatic", label: "Automatic" },
  { value: "on", label: "Given to it" },
  { value: "off", label: "Not given to it" },
];

/** Where a server runs: a program of this machine, or a container and which. */
export function PlaceFields({ draft, onChange, engines, program, offline, imageProblem }: PlaceProps) {
  const engine = engineOf(engines, draft.engine);
  const isReady = engines.some(({ problem }) => problem === undefined);
  const help = imageHelp(draft, engine, offline);
  if (engines.length === 0 && draft.place === "program") return null;
  return (
    <>
      <Field label="Runs as" className={draft.place === "program" ? "sm:col-span-2" : undefined}>
        {(ids) => (
          <Select
            {...ids}
            value={draft.place}
            onChange={(place) => onChange({ ...(draft.engine === "" ? usualOn(engines, draft) : {}), place })}
            options={[
              {
                value: "program",
                label: "Program on this machine",
                description:
                  program?.problem === undefined
                    ? (program?.path ?? RUNTIMES[draft.runtime].program)
                    : `${RUNTIMES[draft.runtime].program} is not found.`,
              },
              {
                value: "container",
                label: "Container",
                description: isReady
                  ? "It has no network, and sees the model alone."
                  : "No engine of this machine is ready.",
                disabled: !isReady && draft.place === "program",
              },
            ]}
            className="w-full"
          />
        )}
      </Field>
      {draft.place === "container" && (
        <>
          <Field label="Engine">
            {(ids) => (
              <Select
                {...ids}
                value={draft.engine}
                onChange={(chosen) => onChange(withPlace(draft, { engine: chosen }, engines))}
                options={engineOptions(draft, engines)}
                className="w-full"
              />
            )}
          </Field>
          <Field
            label="Image"
            help={help.isTrouble ? undefined : help.sentence}
            error={imageProblem}
            className="min-w-0 sm:col-span-2"
          >
            {(ids) => (
              <Combobox
                {...ids}
                name="image"
                mono
                listLabel="Images that serve models"
                placeholder="name:tag"
                value={draft.image}
                invalid={imageProblem !== undefined}
                onChange={(image) => onChange({ image })}
                options={imagesFor(engine, draft.runtime).map((image) => ({
                  value: image.image,
                  note: imageNote(image, offline),
                }))}
              />
            )}
          </Field>
        </>
      )}
    </>
  );
}

/** Whether a container gets the GPU, where its engine passes one on. */
export function GpuField({ draft, onChange, engines }: PlaceProps) {
  const engine = engineOf(engines, draft.engine);
  if (draft.place === "program" || engine?.gpu !== true) return null;
  return (
    <Field label="GPU" help={`${engine.name} passes it on.`}>
      {(ids) => (
        <Select
          {...ids}
          value={draft.gpu}
          onChange={(gpu) => onChange({ gpu })}
          options={GPU}
          className="w-full"
        />
      )}
    </Field>
  );
}

function usualOn(engines: Engines, { runtime }: Placed): Partial<PlaceDraft> {
  const { engine, image } = usualPlace({ runtimes: [], engines }, runtime);
  return { engine, image };
}

function engineOptions({ engine: chosen }: PlaceDraft, engines: Engines) {
  const options = engines.map(({ engine, name, problem }) => ({
    value: engine,
    label: name,
    disabled: problem !== undefined,
    ...(problem === undefined ? {} : { description: problem }),
  }));
  const isKnown = chosen === "" || engines.some(({ engine }) => engine === chosen);
  return isKnown ? options : [...options, { value: chosen, label: `${chosen} (gone)` }];
}

/** What is in the way of running it there, and what to do. */
export function PlaceTrouble({ draft, onChange, engines, program, offline }: PlaceProps) {
  if (draft.place === "program") {
    if (program?.problem === undefined) return null;
    const usual = usualPlace({ runtimes: [program], engines }, draft.runtime);
    return (
      <Trouble>
        <Problem text={program.problem} />
        {usual.place === "container" && (
          <p className="flex flex-wrap items-center gap-2">
            <span>It can run in a container as well.</span>
            <Button size="small" onClick={() => onChange(usual)}>
              Use a container
            </Button>
          </p>
        )}
      </Trouble>
    );
  }
  const engine = engineOf(engines, draft.engine);
  if (engine?.problem !== undefined)
    return (
      <Trouble>
        <p className="break-words select-text">
          {engine.name}: <Prose text={engine.problem} />
        </p>
      </Trouble>
    );
  const help = imageHelp(draft, engine, offline);
  if (!help.isTrouble) return null;
  return (
    <Trouble>
      <p className="break-words select-text">{help.sentence}</p>
      <CommandLine command={`${engineProgram(draft.engine)} load --input image.tar`} />
      <p className="text-sm text-muted">
        The file comes from a machine that has the image: {engineProgram(draft.engine)} save --output
        image.tar, and its name.
      </p>
    </Trouble>
  );
}

/** The program by which an engine is used in a terminal. */
export function engineProgram(engine: string): string {
  return engine.startsWith("podman") ? "podman" : "docker";
}

function Trouble({ children }: { children: React.ReactNode }) {
  return (
    <div
      role="status"
      className="flex min-w-0 flex-col gap-1.5 rounded-md bg-starting-soft px-3 py-2 text-fg sm:col-span-2"
    >
      {children}
    </div>
  );
}
