import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

test("settings are changed by form and as JSON, and are checked in both", async ({ page, cockpit }) => {
  await page.getByRole("button", { name: "Settings" }).click();
  const pages = page.getByRole("navigation", { name: "Settings" });
  const tabSize = page.getByRole("textbox", { name: "Tab size" });

  await test.step("by form", async () => {
    await tabSize.fill("99");
    await expect(page.getByText("A whole number from 1 to 16.")).toBeVisible();
    await look(page, "settings-refused");
    await tabSize.fill("3");
    await page.keyboard.press("Enter");
    await page.getByRole("combobox", { name: "Theme" }).click();
    await page.getByRole("option", { name: "Dark" }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  });

  await test.step("as JSON", async () => {
    await pages.getByRole("button", { name: "As JSON" }).click();
    await expect(cockpit.editor).toContainText('"tab_size": 3');
    await cockpit.editor.click();
    const write = async (text: string) => {
      await page.keyboard.press("Control+a");
      await page.evaluate((value) => navigator.clipboard.writeText(value), text);
      await page.keyboard.press("Control+v");
    };
    const settings = {
      theme: "light",
      editor_font_size: 13,
      terminal_font_size: 13,
      tab_size: 6,
      word_wrap: true,
      autosave_delay_ms: 1000,
      minimap: false,
      network_range: "10.213.0.0/16",
      auto_forward: true,
      base_image_from: "debian:bookworm",
      clusters: {},
      models: { backends: [], aliases: [], first_byte_seconds: 300, idle_seconds: 120 },
      local_models: { folders: [], servers: [], overcommit: false },
      offline: false,
    };
    await write(JSON.stringify({ ...settings, tab_size: 60, theme: "blue" }, undefined, 2));
    await expect(page.getByRole("status").filter({ hasText: 'One of "system"' })).toBeVisible();
    await expect(page.getByRole("button", { name: "Save", exact: true })).toBeDisabled();
    await expect(page.locator(".squiggly-error").first()).toBeVisible();
    await look(page, "settings-json-refused");
    await write(JSON.stringify(settings, undefined, 2));
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  });

  await test.step("kept through a restart of the page", async () => {
    await page.reload();
    await page.getByRole("button", { name: "Settings" }).click();
    await pages.getByRole("button", { name: "General" }).click();
    await expect(tabSize).toHaveValue("6");
    await expect(page.getByRole("switch", { name: "Wrap long lines" })).toBeChecked();
  });
});

test("a part of the page that cannot be loaded says so, and comes with the page anew", async ({
  page,
  cockpit,
}) => {
  await cockpit.home();
  await page.route(/\/assets\/Settings-[^/]*\.js$/, (route) => route.abort());
  await page.getByRole("button", { name: "Settings" }).click();
  const told = page.getByRole("alert").filter({ hasText: "AiCockpit stopped because of a fault" });
  // It is tried again for a while first.
  await expect(told).toBeVisible({ timeout: 30_000 });
  await look(page, "part-not-loaded");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Load the page again" }).click();
  await expect(page.getByRole("navigation", { name: "Settings" })).toBeVisible();
});
