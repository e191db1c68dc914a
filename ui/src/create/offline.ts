import { imageKey, isDigest, isFromThisMachine } from "@/lib/images";
import { type EngineInfo, type ImageInfo } from "@/protocol/generated";
import { repositoryName } from "@/state/workspaces";
import { type Details, type Problems } from "./draft";
import { can } from "./engine";
import { type Reading } from "./recognise";

/** Named so by the host, which builds it upon what the settings say. */
const BASE_IMAGE = /^aicockpit\/base:/;

/**
 * What could not be had while nothing may be fetched from elsewhere, by field. An image is missed only where the
 * engine's images are known, and where its name can tell.
 */
export function offlineProblems(
  reading: Reading,
  details: Pick<Details, "image">,
  engine: EngineInfo | undefined,
  images: readonly ImageInfo[] | undefined,
): Pick<Problems, "source" | "image"> {
  const { source } = reading;
  const isClone = source.kind === "git";
  if (isClone && !isOnThisMachine(source.url))
    return {
      source: `Offline: ${repositoryName(source.url)} is not on this machine. Give the path of a repository that is.`,
    };
  // A cluster's machines pull for themselves.
  if (engine === undefined || images === undefined || !can(engine, "images")) return {};
  const present = images.flatMap(({ references }) => references.map(imageKey));
  const image = reading.image ?? details.image.trim();
  if (image !== "" && !isDigest(image) && !isFromThisMachine(image) && !present.includes(imageKey(image))) {
    const missing = `Offline: ${image} is not on this machine (${engine.name}).`;
    return reading.image === undefined ? { image: missing } : { source: missing };
  }
  if ((image === "" || isClone) && !present.some((reference) => BASE_IMAGE.test(reference)))
    return {
      source: `Offline: the base image is not on this machine (${engine.name}), and is made of what lies elsewhere.${
        isClone ? "" : " Choose an image that is here."
      }`,
    };
  return {};
}

/** Whether a repository is cloned from a folder of this machine. */
function isOnThisMachine(url: string): boolean {
  return /^(\/|file:\/\/(localhost)?\/|[A-Za-z]:[\\/])/i.test(url);
}

/** The names of an engine's images that a workspace can be made on, with their sizes. */
export function imageChoices(images: readonly ImageInfo[]): { value: string; bytes: number }[] {
  return images
    .flatMap(({ references, size }) => references.map((value) => ({ value, bytes: size })))
    .filter(({ value }) => !/(^|\/)aicockpit\//.test(value) && !value.includes("<none>"))
    .toSorted((a, b) => a.value.localeCompare(b.value));
}
