import { insideWorkspace, workspacesOf } from "../support/docker.ts";
import { look, picture } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

test("several workspaces stay open side by side, and come back as they were left", async ({
  page,
  host,
  cockpit,
}) => {
  const bar = page.getByRole("navigation", { name: "Open workspaces" });
  for (const name of ["north", "south"]) {
    await cockpit.create(name, { name });
    for (const id of workspacesOf(host))
      insideWorkspace(id, "sh", "-c", "[ -f own.txt ] || hostname > own.txt");
    await cockpit.openFile("own.txt");
    await expect(cockpit.editor).toContainText(name);
    await cockpit.run(`echo this-is-${name}`);
    await cockpit.sees(new RegExp(`^this-is-${name}`, "m"));
  }

  await test.step("switched by tab and by the switcher", async () => {
    await bar.getByText("north").click();
    await expect(cockpit.editor).toContainText("north");
    await cockpit.sees(/^this-is-north/m);
    await page.keyboard.press("Control+Shift+y");
    await page.getByRole("combobox").filter({ visible: true }).fill("sou");
    await expect(page.getByRole("option").first()).toContainText("south");
    await look(page, "switcher");
    await page.keyboard.press("Enter");
    await expect(cockpit.editor).toContainText("south");
  });

  await test.step("hidden panes stay hidden after the page was loaded anew", async () => {
    await page.keyboard.press("Control+b");
    await expect(cockpit.explorer).toHaveCount(0);
    await page.waitForTimeout(600);
    await page.reload();
    await expect(cockpit.editor).toContainText("south");
    await cockpit.sees(/^this-is-south/m);
    await expect(cockpit.explorer).toHaveCount(0);
    await bar.getByText("north").click();
    await expect(cockpit.editor).toContainText("north");
    await expect(cockpit.explorer).toBeVisible();
  });

  await test.step("acted upon together from the dashboard", async () => {
    await cockpit.home();
    await look(page, "dashboard-running");
    for (const name of ["north", "south"]) {
      await cockpit.card(name).hover();
      await cockpit.card(name).getByRole("checkbox").click();
    }
    await look(page, "dashboard-selected");
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await expect(cockpit.card("north")).toContainText("Stopped", { timeout: 60_000 });
    await expect(cockpit.card("south")).toContainText("Stopped", { timeout: 60_000 });
  });
});

for (const [width, height] of [
  [1024, 700],
  [640, 800],
] as const) {
  test(`the window at ${width} pixels`, async ({ page, host, cockpit }) => {
    await cockpit.create("narrow", { name: "narrow-workspace-with-a-long-name" });
    for (const id of workspacesOf(host))
      insideWorkspace(id, "sh", "-c", "mkdir -p src; seq 99 > src/list.txt");
    await cockpit.openFile("list.txt");
    await expect(cockpit.editor).toContainText("12");
    await page.setViewportSize({ width, height });
    await picture(page, `cockpit-${width}`);
    await page.keyboard.press("Control+Shift+f");
    await picture(page, `search-${width}`);
    await page.keyboard.press("Control+b");
    await picture(page, `editor-${width}`);
    await cockpit.home();
    await picture(page, `dashboard-${width}`);
    await page.getByRole("button", { name: "Settings" }).click();
    await expect(page.getByRole("heading", { name: "General" })).toBeVisible();
    await picture(page, `settings-${width}`);
    const overflowing = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflowing, "the page is not wider than the window").toBeLessThanOrEqual(0);
  });
}
