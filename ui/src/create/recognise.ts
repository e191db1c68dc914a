import { type Source } from "@/protocol/generated";
import { repositoryName } from "@/state/workspaces";

/** One way to read what was typed. */
export interface Reading {
  kind: "git" | "folder" | "image" | "name";
  /** What will happen, one sentence. */
  sentence: string;
  source: Source;
  /** Present where an image is what was typed. */
  image?: string;
  /** The name that was typed, where it was one. */
  name?: string;
  /** What is wrong with it; it cannot be used as it is. */
  problem?: string;
}

const FORGES = /^(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|git\.sr\.ht)\//;
const KNOWN_IMAGES = new Set(
  "alpine archlinux busybox clojure composer dart debian eclipse-temurin elixir erlang fedora gcc golang gradle haskell julia maven mono node openjdk perl php postgres python r-base redis ruby rust swift ubuntu".split(
    " ",
  ),
);
const IMAGE =
  /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?::\d+)?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

/** The ways to read what was typed, the likeliest first; never empty. */
export function recognise(typed: string): Reading[] {
  const text = typed.trim().replace(/^git clone\s+/, "");
  if (text === "") {
    return [{ kind: "name", sentence: "An empty workspace on the base image.", source: { kind: "empty" } }];
  }
  if (/^(https?|ssh|git|file):\/\//i.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) return [git(text)];
  if (FORGES.test(text)) return [git(`https://${text}`)];
  if (/^(\/|[A-Za-z]:[\\/])/.test(text)) {
    const readings = [folder(text), git(text, true)];
    return /\.git\/?$/.test(text) ? readings.reverse() : readings;
  }
  if (/^(~|\.{1,2})(\/|$)/.test(text)) {
    return [{ ...folder(text), problem: "Write the folder's whole path, beginning with /." }];
  }
  if (/\.git$/.test(text) && text.includes("/")) return [git(`https://${text}`)];

  const readings: Reading[] = [];
  const isImage = IMAGE.test(text);
  if (isImage && (text.includes(":") || text.includes("/") || KNOWN_IMAGES.has(text)))
    readings.push(image(text));
  if (/^[\w.-]+\/[\w.-]+$/.test(text)) readings.push(git(`https://github.com/${text}`));
  if (!text.includes("/")) readings.push(named(text));
  if (isImage && readings.every((reading) => reading.kind !== "image")) readings.push(image(text));
  return readings.length > 0 ? readings : [named(text)];
}

function git(text: string, local = false): Reading {
  // Addresses copied from a forge's page name the branch; `url#branch` is what npm and Docker write.
  const tree = /^(https?:\/\/[^/]+\/[^/]+\/[^/]+?)(?:\.git)?\/(?:-\/)?tree\/([^?#]+?)\/?$/.exec(text);
  const hash = /^([^#]+)#(.+)$/.exec(text);
  const [url, branch] = tree ? [tree[1], tree[2]] : hash && !local ? [hash[1], hash[2]] : [text, undefined];
  const address = url ?? text;
  const where = local ? `the repository in ${address}` : repositoryName(address);
  return {
    kind: "git",
    sentence: `Clones ${where}${branch === undefined ? "" : `, branch ${branch},`} into a volume of its own.`,
    source: { kind: "git", url: address, ...(branch === undefined ? {} : { branch }) },
    ...(/\s/.test(address) && !local ? { problem: "A repository's address has no spaces." } : {}),
  };
}

function folder(path: string): Reading {
  return {
    kind: "folder",
    sentence: `Works on the files in ${path}; they stay on this machine.`,
    source: { kind: "folder", path },
  };
}

function image(reference: string): Reading {
  return {
    kind: "image",
    sentence: `An empty workspace on the image ${reference}.`,
    source: { kind: "empty" },
    image: reference,
  };
}

function named(name: string): Reading {
  return {
    kind: "name",
    sentence: `An empty workspace named ${name}, on the base image.`,
    source: { kind: "empty" },
    name,
    ...(name.length > 64 ? { problem: "A name has at most 64 characters." } : {}),
  };
}
