/**
 * An image's reference in the form that all ways to write it share: engines name the same image `debian`,
 * `debian:latest`, `docker.io/library/debian:latest` or, built here, `localhost/name`.
 */
export function imageKey(reference: string): string {
  const text = reference.trim();
  const named = text
    .replace(/^(index\.)?docker\.io\//, "")
    .replace(/^library\//, "")
    .replace(/^localhost\//, "");
  if (named.includes("@")) return named;
  const last = named.slice(named.lastIndexOf("/") + 1);
  return last.includes(":") ? named : `${named}:latest`;
}

/** True where the reference names the content itself, which no list of names can tell of. */
export function isDigest(reference: string): boolean {
  return reference.includes("@");
}

/** True where an image comes from a registry of this machine. */
export function isFromThisMachine(reference: string): boolean {
  const [registry = "", ...rest] = reference.trim().split("/");
  const host = registry.replace(/:\d+$/, "");
  return rest.length > 0 && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);
}
