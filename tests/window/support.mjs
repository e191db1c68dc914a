// What the tests of the window have in common.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const artifacts = join(import.meta.dirname, "../artifacts/window");

export const docker = (...args) => execFileSync("docker", args, { encoding: "utf8", stdio: "pipe" }).trim();

/** Removes every container, network and volume whose name carries the workspace's id. */
export function removeAll(id) {
  const objects = [
    ["rm", "--force", "--volumes", docker("ps", "--all", "--quiet", "--filter", `name=aicockpit-${id}`)],
    ["network", "rm", docker("network", "ls", "--quiet", "--filter", `name=aicockpit-${id}`)],
    ["volume", "rm", docker("volume", "ls", "--quiet", "--filter", `name=aicockpit-${id}`)],
  ].filter((command) => command.at(-1) !== "");
  for (const command of objects) docker(...command.slice(0, -1), ...command.at(-1).split("\n"));
}

/** The dashboard, once the host has told of its engine. */
export const engineFound = (session) => session.role("button", /^Host and engines: .*ready/i);

export async function picture(session, name) {
  mkdirSync(artifacts, { recursive: true });
  writeFileSync(join(artifacts, `${name}.png`), await session.screenshot());
}

/** A test that leaves a picture of the window behind where it fails. */
export function shown(application, name, work) {
  test(name, async () => {
    try {
      await work();
    } catch (error) {
      await picture(application.session, `failed: ${name}`.replaceAll(/[^a-z0-9]+/gi, "-")).catch(
        () => undefined,
      );
      throw error;
    }
  });
}
