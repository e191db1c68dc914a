import { AxeBuilder } from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Cockpit } from "../support/cockpit.ts";
import { removeByForce, workspacesOf } from "../support/docker.ts";
import { Host } from "../support/host.ts";

const pictures = join(import.meta.dirname, "../../artifacts/screens");

/** Takes a picture of what is in view and asks axe about it. */
async function look(page: Page, name: string): Promise<void> {
  // A picture in the middle of a movement shows neither state.
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
  );
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  expect.soft(serious, `axe on ${name}`).toEqual([]);
}

for (const theme of ["light", "dark"] as const) {
  test(`every screen in ${theme} is accessible, and its picture is taken`, async ({ page }) => {
    test.setTimeout(10 * 60_000);
    mkdirSync(pictures, { recursive: true });
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    const host = new Host();
    const cockpit = new Cockpit(page);
    const at = (name: string) => look(page, `${name}-${theme}`);
    try {
      await page.goto(await host.start());
      await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
      await at("first-run");

      await cockpit.create("sketch", { name: "sketch" });
      await cockpit.run(
        "printf '# Sketch\\n\\nSome *text*.\\n' > notes.md; printf 'fn main() {\\n    println!(\"hello\");\\n}\\n' > main.rs; ls -la --color",
      );
      await cockpit.openFile("main.rs");
      await expect(cockpit.editor).toContainText("println");
      await at("cockpit");

      await page.keyboard.press("Control+Shift+F");
      await page.getByRole("textbox", { name: "Search for" }).fill("hello");
      await expect(
        page.getByRole("tree", { name: "Search results" }).getByRole("treeitem").first(),
      ).toBeVisible();
      await at("search");

      await page.getByRole("tab", { name: /^Ports/ }).click();
      await at("ports");

      await page.keyboard.press("F1");
      await expect(page.getByRole("option").first()).toBeVisible();
      await at("palette");
      await page.keyboard.press("Escape");

      const bar = page.getByRole("navigation", { name: "Open workspaces" });
      await bar.getByRole("button", { name: "Create workspace" }).click();
      await page
        .getByRole("textbox", { name: "What to make a workspace from" })
        .fill("https://example.org/team/api.git");
      await page.getByRole("button", { name: "Details" }).click();
      await at("create");
      await page.keyboard.press("Escape");

      await page.getByRole("button", { name: "Settings" }).click();
      await expect(page.getByRole("heading", { name: "General" })).toBeVisible();
      await at("settings");

      await bar.getByRole("button", { name: "Workspaces" }).click();
      await expect(page.getByRole("gridcell", { name: /^sketch/ })).toBeVisible();
      await at("dashboard");
      await page.setViewportSize({ width: 390, height: 844 });
      await at("dashboard-phone");
    } finally {
      for (const id of workspacesOf(host)) removeByForce(id);
      await host.dispose();
    }
  });
}
