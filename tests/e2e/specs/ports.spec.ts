import { createServer } from "node:net";
import { once } from "node:events";
import { insideWorkspace } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { expect, test, workspaceOf } from "../support/test.ts";

test("ports are found, forwarded by hand and by name, opened and closed", async ({
  page,
  context,
  host,
  cockpit,
}) => {
  await cockpit.create("ports", { name: "ports" });
  const id = workspaceOf(host);
  insideWorkspace(id, "sh", "-c", "mkdir -p site && echo '<h1>Station</h1>' > site/index.html");
  await page.getByRole("tab", { name: "Ports" }).click();
  const panel = page.getByRole("tabpanel").filter({ visible: true });
  const list = page.getByRole("list", { name: "Ports" });
  const row = (text: string) => list.getByRole("listitem").filter({ hasText: text });
  const field = page.getByRole("textbox", { name: "Port or host:port to forward" });
  await expect(panel.or(page.getByText("Nothing listens yet")).first()).toBeVisible();
  await look(page, "ports-empty");

  await test.step("a port before anything listens on it", async () => {
    await field.fill("70000");
    await expect(page.getByRole("button", { name: "Forward", exact: true }).last()).toBeDisabled();
    await field.fill("8123");
    await page.keyboard.press("Enter");
    await expect(row("8123")).toContainText("nothing listens");
  });

  await test.step("a server that starts afterwards", async () => {
    await cockpit.page
      .getByRole("tab", { name: /Terminal/ })
      .first()
      .click();
    await cockpit.run("python3 -m http.server --directory site 8123 >/dev/null 2>&1 &");
    await page.getByRole("tab", { name: "Ports" }).click();
    await expect(row("8123")).toContainText("python3", { timeout: 30_000 });
    const [opened] = await Promise.all([
      context.waitForEvent("page"),
      row("8123").getByRole("button", { name: "Open" }).click(),
    ]);
    await expect(opened.getByRole("heading", { name: "Station" })).toBeVisible();
    await opened.close();
  });

  await test.step("by the name of a host", async () => {
    const name = insideWorkspace(id, "hostname");
    await field.fill(`${name}:8123`);
    await page.keyboard.press("Enter");
    const named = row(`${name}:8123`);
    await expect(named).toBeVisible();
    const [opened] = await Promise.all([
      context.waitForEvent("page"),
      named.getByRole("button", { name: "Open" }).click(),
    ]);
    await expect(opened.getByRole("heading", { name: "Station" })).toBeVisible();
    await opened.close();
    await look(page, "ports");
    await named.getByRole("button", { name: `Stop forwarding ${name}:8123` }).click();
    await expect(named).toHaveCount(0);
  });

  await test.step("a port of this machine that is in use is not taken away", async () => {
    const busy = createServer().listen(0, "127.0.0.1");
    await once(busy, "listening");
    const address = busy.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    try {
      await field.fill(String(address.port));
      await page.keyboard.press("Enter");
      const link = row(String(address.port)).getByRole("link");
      await expect(link).toBeVisible();
      expect(await link.getAttribute("href")).not.toContain(`:${address.port}/`);
    } finally {
      busy.close();
    }
  });
});
