import { type Workspace } from "@/protocol/generated";

/** Workspaces that run and may reach networks: their own setting, which the offline switch leaves alone. */
export function withNetwork(workspaces: readonly Workspace[]): Workspace[] {
  return workspaces.filter(
    ({ state, spec }) => (state === "running" || state === "starting") && spec.profile !== "locked",
  );
}

/** True for an address of this machine's loopback: what is sent there leaves the machine under no circumstances. */
export function isThisMachine(url: string): boolean {
  if (!URL.canParse(url)) return false;
  return /^(([^.]+\.)*localhost\.?|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
