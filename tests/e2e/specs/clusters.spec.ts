import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Host, WITHOUT_SOCKETS } from "../support/host.ts";
import { look } from "../support/look.ts";
import { freePort } from "../support/models.ts";
import { expect, test } from "../support/test.ts";

/** A kubeconfig with one context whose cluster is not there. */
const kubeconfig = (port: number) => `apiVersion: v1
kind: Config
current-context: nowhere
contexts:
  - name: nowhere
    context: { cluster: nowhere, user: somebody, namespace: team }
clusters:
  - name: nowhere
    cluster: { server: "https://127.0.0.1:${port}", insecure-skip-tls-verify: true }
users:
  - name: somebody
    user: { token: none }
`;

/** Runs a test with a host whose kubeconfig names nothing but a cluster that is not there. */
async function withKubeconfig(
  run: (host: Host) => Promise<void>,
  environment: Record<string, string> = {},
  wrapper: readonly string[] = [],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "aicockpit-kubeconfig-"));
  const file = join(folder, "config");
  writeFileSync(file, kubeconfig(await freePort()));
  const host = new Host({ KUBECONFIG: file, ...environment }, wrapper);
  try {
    await run(host);
  } finally {
    await host.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("without an engine on this machine, the clusters of the kubeconfig are offered", async ({ page }) => {
  const nowhere = { DOCKER_HOST: "unix:///nowhere/docker.sock" };
  await withKubeconfig(
    async (host) => {
      await page.goto(await host.start());
      await expect(page.getByRole("heading", { name: "An engine is needed to run it" })).toBeVisible();
      await expect(page.getByText("names a cluster, nowhere.")).toBeVisible();
      await look(page, "cluster-offered");
      await page.getByRole("button", { name: "Use the cluster" }).click();
      await expect(page.getByRole("region", { name: "nowhere" })).toContainText("Not used");
    },
    nowhere,
    WITHOUT_SOCKETS,
  );
});

test("a cluster that cannot be reached is left alone, explained once it is switched on, and calm again", async ({
  page,
}) => {
  await withKubeconfig(async (host) => {
    await page.goto(await host.start());
    await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("navigation", { name: "Settings" }).getByRole("button", { name: "Engines" }).click();
    const cluster = page.getByRole("region", { name: "nowhere" });
    const use = cluster.getByRole("switch", { name: "Use this cluster" });

    await test.step("it is listed and not used", async () => {
      await expect(cluster).toContainText("Not used");
      await expect(use).not.toBeChecked();
      await use.scrollIntoViewIfNeeded();
      await look(page, "cluster-off");
    });

    await test.step("switched on, its problem is told", async () => {
      await use.click();
      await expect(use).toBeChecked();
      await expect(cluster).toContainText("Not reachable", { timeout: 60_000 });
      await expect(cluster).toContainText("The cluster does not answer");
      await expect(use).toBeFocused();
      await look(page, "cluster-unreachable");
    });

    await test.step("its settings are checked and kept", async () => {
      await cluster.getByRole("button", { name: "Cluster settings" }).click();
      const namespace = cluster.getByRole("textbox", { name: "Namespace" });
      await namespace.fill("Not A Name");
      await expect(cluster).toContainText("small letters, digits and hyphens");
      await namespace.fill("sandbox");
      await namespace.press("Enter");
      await cluster.getByRole("button", { name: "Advanced" }).click();
      const template = cluster.getByRole("textbox", { name: "Pod template" });
      await template.fill("[]");
      await expect(cluster).toContainText("One object, as a pod’s spec holds it");
      await template.fill('{ "priorityClassName": "low" }');
      await template.press("Control+Enter");
      await look(page, "cluster-settings");
      await page.reload();
      await cluster.getByRole("button", { name: "Cluster settings" }).click();
      await expect(namespace).toHaveValue("sandbox");
      await cluster.getByRole("button", { name: "Advanced" }).click();
      await expect(template).toHaveValue(/"priorityClassName": "low"/);
    });

    await test.step("switched off, it is calm again", async () => {
      await use.click();
      await expect(cluster).toContainText("Not used", { timeout: 60_000 });
      await expect(cluster).not.toContainText("does not answer");
      await expect(cluster.getByRole("button", { name: "Cluster settings" })).toHaveCount(0);
      await page
        .getByRole("navigation", { name: "Open workspaces" })
        .getByRole("button", { name: "Create workspace" })
        .click();
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByRole("combobox", { name: "Engine" }).click();
      await expect(page.getByRole("option", { name: "nowhere" })).toContainText("Switch it on in Settings");
      await expect(page.getByRole("option", { name: "nowhere" })).toBeDisabled();
    });
  });
});
