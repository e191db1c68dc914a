const RETRIES_MS = [200, 1_000, 3_000];

/** A container that starts changes the machine's networks, at which browsers break off what they are fetching. */
export async function persistently<T>(fetch: () => Promise<T>): Promise<T> {
  for (const wait of RETRIES_MS) {
    try {
      return await fetch();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return fetch();
}
