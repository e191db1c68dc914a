import { execFileSync } from "node:child_process";
import { type Host } from "./host.ts";

export const docker = (...args: string[]) =>
  execFileSync("docker", args, { encoding: "utf8", stdio: "pipe" }).trim();

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

/** Everything on the engine whose name carries this workspace's id. */
export function objectsOf(workspace: string): string[] {
  return [
    ...lines(docker("ps", "--all", "--format", "container {{.Names}}")),
    ...lines(docker("network", "ls", "--format", "network {{.Name}}")),
    ...lines(docker("volume", "ls", "--format", "volume {{.Name}}")),
  ].filter((line) => line.includes(workspace));
}

/** The workspaces that a host made and that have a container now. */
export function workspacesOf(host: Host): string[] {
  const owner = host.owner();
  if (owner === undefined) return [];
  return lines(
    docker(
      "ps",
      "--all",
      "--filter",
      `label=dev.aicockpit.owner=${owner}`,
      "--filter",
      "label=dev.aicockpit.kind=workspace",
      "--format",
      '{{.Label "dev.aicockpit.workspace"}}',
    ),
  );
}

/** Removes a workspace by the engine's own means, for clean-up after a failed test. */
export function removeByForce(workspace: string): void {
  for (const object of objectsOf(workspace)) {
    const [kind, name] = object.split(" ");
    if (!kind || !name) continue;
    if (kind === "container") docker("rm", "--force", "--volumes", name);
    else docker(kind, "rm", name);
  }
}

/** Runs a command inside a workspace's container, beside the product. */
export function insideWorkspace(workspace: string, ...command: string[]): string {
  return docker("exec", `aicockpit-${workspace}`, ...command);
}
