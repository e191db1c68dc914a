import { formatBytes } from "@/lib/format";
import { imageKey } from "@/lib/images";
import {
  type ContainerEngine,
  type LocalServerSettings,
  type Runtime,
  type RuntimeFound,
  type ServerImage,
} from "@/protocol/generated";

/** Where a server runs, as it is chosen. What is chosen for a container is kept while it is none. */
export interface PlaceDraft {
  place: "program" | "container";
  engine: string;
  image: string;
  gpu: "automatic" | "on" | "off";
}

export type Engines = readonly ContainerEngine[];

/** What there is on this machine that servers run by. */
export interface Served {
  runtimes: readonly RuntimeFound[];
  engines: Engines;
}

/** Images of an engine that hold a runtime: those that it has first. */
export function imagesFor(engine: ContainerEngine | undefined, runtime: Runtime): ServerImage[] {
  const images = engine?.images.filter((image) => image.runtime === runtime) ?? [];
  return images.toSorted((a, b) => Number(a.bytes === undefined) - Number(b.bytes === undefined));
}

/** An image that an engine tells of, by any of the names that lead to it. */
export function imageOn(engine: ContainerEngine | undefined, image: string): ServerImage | undefined {
  const key = imageKey(image);
  return engine?.images.find((each) => imageKey(each.image) === key);
}

/** The engine that is taken where nobody chose: one that has the image, else one that passes GPUs, else the first. */
function usualEngine(engines: Engines, runtime: Runtime): ContainerEngine | undefined {
  const ready = engines.filter(({ problem }) => problem === undefined);
  return (
    ready.find((engine) => imagesFor(engine, runtime)[0]?.bytes !== undefined) ??
    ready.find(({ gpu }) => gpu) ??
    ready[0]
  );
}

/** The program where there is one, else a container where an engine is ready. */
export function usualPlace(scan: Served | undefined, runtime: Runtime): PlaceDraft {
  const engine = usualEngine(scan?.engines ?? [], runtime);
  const hasProgram = scan?.runtimes.some((found) => found.runtime === runtime && found.problem === undefined);
  return {
    place: hasProgram === false && engine !== undefined ? "container" : "program",
    engine: engine?.engine ?? "",
    image: imagesFor(engine, runtime)[0]?.image ?? "",
    gpu: "automatic",
  };
}

export function placeOf({ container, runtime }: LocalServerSettings, scan: Served | undefined): PlaceDraft {
  if (container === undefined) return { ...usualPlace(scan, runtime), place: "program" };
  const { engine, image, gpu } = container;
  return { place: "container", engine, image, gpu: gpu === undefined ? "automatic" : gpu ? "on" : "off" };
}

/** With another runtime, or on another engine: the image becomes the usual one there, unless it was typed. */
export function withPlace(
  before: PlaceDraft & { runtime: Runtime },
  change: { runtime?: Runtime; engine?: string },
  engines: Engines,
): PlaceDraft & { runtime: Runtime } {
  const after = { ...before, ...change };
  const known = imagesFor(engineOf(engines, before.engine), before.runtime);
  const isTyped = before.image.trim() !== "" && known.every(({ image }) => image !== before.image);
  const usual = imagesFor(engineOf(engines, after.engine), after.runtime);
  const stays = isTyped || usual.some(({ image }) => image === before.image);
  return stays ? after : { ...after, image: usual[0]?.image ?? "" };
}

export function engineOf(engines: Engines, id: string): ContainerEngine | undefined {
  return engines.find(({ engine }) => engine === id);
}

/** The container as the settings keep it. */
export function containerOf({ place, engine, image, gpu }: PlaceDraft): LocalServerSettings["container"] {
  if (place === "program") return undefined;
  return { engine, image: image.trim(), ...(gpu === "automatic" ? {} : { gpu: gpu === "on" }) };
}

/** What is wrong with the image that was typed. */
export function imageProblem({ place, image, engine }: PlaceDraft): string | undefined {
  if (place === "program") return undefined;
  if (engine === "") return "No engine of this machine is there to run it: start Docker or Podman.";
  const text = image.trim();
  if (text === "") return "Name an image that serves models.";
  return /\s/.test(text) ? "No spaces: an image is named as docker pull takes it." : undefined;
}

/** What an image takes, in a few words: its size, or that it is not here. */
export function imageNote(image: ServerImage, offline: boolean): string {
  if (image.bytes !== undefined) return formatBytes(image.bytes);
  return offline ? "not on this machine" : "will be pulled";
}

/** What comes of an image on an engine, a sentence; and whether it is in the way. */
export function imageHelp(
  draft: PlaceDraft,
  engine: ContainerEngine | undefined,
  offline: boolean,
): { sentence: string; isTrouble: boolean } {
  const image = draft.image.trim();
  const name = engine?.name ?? "the engine";
  const known = imageOn(engine, image);
  if (known?.bytes !== undefined)
    return { sentence: `${formatBytes(known.bytes)}, on ${name}.`, isTrouble: false };
  if (!offline)
    return {
      sentence:
        known === undefined
          ? `Pulled where ${name} has it not, when the model is first loaded.`
          : `Will be pulled to ${name} when the model is first loaded.`,
      isTrouble: false,
    };
  return known === undefined
    ? { sentence: `Offline: it is used where ${name} has it, and not pulled.`, isTrouble: false }
    : {
        sentence: `Offline: ${image} is not on ${name}. Bring it from another machine, or go online.`,
        isTrouble: true,
      };
}

/** Where a server of the settings runs, in words; undefined for a program of this machine. */
export function containerWords({ container }: LocalServerSettings, engines: Engines): string | undefined {
  if (container === undefined) return undefined;
  const name = engineOf(engines, container.engine)?.name ?? container.engine;
  return `${container.image} on ${name}`;
}

/** An image that servers of the settings run, with what its engine says of it. */
export interface ImageInUse {
  engine: string;
  engineName: string;
  image: string;
  bytes: number | undefined;
  /** The engine is known not to have it. */
  isMissing: boolean;
  /** The engine cannot be used now. */
  problem: string | undefined;
}

/** Images of the servers' containers, each once. */
export function imagesInUse(servers: readonly LocalServerSettings[], engines: Engines): ImageInUse[] {
  const used = new Map<string, ImageInUse>();
  for (const { container } of servers) {
    if (container === undefined) continue;
    const { engine, image } = container;
    const found = engineOf(engines, engine);
    const known = imageOn(found, image);
    used.set(`${engine} ${imageKey(image)}`, {
      engine,
      engineName: found?.name ?? engine,
      image,
      bytes: known?.bytes,
      isMissing: known !== undefined && known.bytes === undefined,
      problem: found?.problem,
    });
  }
  return [...used.values()];
}
