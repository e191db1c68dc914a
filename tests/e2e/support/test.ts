import { expect, test as base } from "@playwright/test";
import { Cockpit } from "./cockpit.ts";
import { removeByForce, workspacesOf } from "./docker.ts";
import { Host } from "./host.ts";

export { expect };

/** A host of its own for each test, with the page signed in; what the test made on the engine is removed after it. */
export const test = base.extend<{ host: Host; cockpit: Cockpit }>({
  host: async ({}, use) => {
    const host = new Host();
    try {
      await use(host);
    } finally {
      for (const id of workspacesOf(host)) removeByForce(id);
      await host.dispose();
    }
  },
  cockpit: async ({ page, host }, use) => {
    await page.goto(await host.start());
    await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
    await use(new Cockpit(page));
  },
});

/** The one workspace that the test made. */
export function workspaceOf(host: Host): string {
  const [id] = workspacesOf(host);
  if (id === undefined) throw new Error("the host has no workspace on the engine");
  return id;
}
