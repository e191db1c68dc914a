import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

for (const theme of ["light", "dark"] as const) {
  test(`every screen in ${theme} is accessible, and its picture is taken`, async ({ page, cockpit }) => {
    test.setTimeout(10 * 60_000);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
    const at = (name: string) => look(page, `${name}-${theme}`);
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
    const pages = page.getByRole("navigation", { name: "Settings" });
    await pages.getByRole("button", { name: "Engines" }).click();
    await expect(page.getByRole("region", { name: "Docker" }).first()).toBeVisible();
    await at("settings-engines");
    await pages.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await at("settings-keys");

    await bar.getByRole("button", { name: "Workspaces" }).click();
    await expect(page.getByRole("gridcell", { name: /^sketch/ })).toBeVisible();
    await at("dashboard");
    await page.setViewportSize({ width: 390, height: 844 });
    await at("dashboard-phone");
  });
}
