import { docker } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { addServer, withModels } from "../support/models.ts";
import { expect, test } from "../support/test.ts";

// TEST-NET-1 (RFC 5737): nothing answers there.
const ELSEWHERE = "http://192.0.2.1/v1";

withModels("offline is switched on, shown everywhere, and off", async ({ page, cockpit, models }) => {
  const status = page.getByRole("contentinfo", { name: "Status" });
  const item = status.getByRole("button", { name: "Offline" });
  const near = page.getByRole("region", { name: "near", exact: true });
  const far = page.getByRole("region", { name: "far", exact: true });

  await test.step("online, nothing is said of it", async () => {
    await cockpit.command("Show models");
    await addServer(page, "near", models.url);
    await addServer(page, "far", ELSEWHERE);
    await expect(near.getByRole("status")).toContainText("Ready");
    await expect(item).toHaveCount(0);
  });

  await test.step("by the palette it goes offline: servers elsewhere are not used, those here are", async () => {
    await cockpit.command("Go offline");
    await expect(item).toBeVisible();
    await expect(far.getByRole("status")).toContainText("Not used while offline");
    await expect(far.getByRole("button", { name: "Check again" })).toHaveCount(0);
    await expect(near.getByRole("status")).toContainText("Ready");
    const form = page.getByRole("form", { name: "Try a model" });
    await form.getByRole("combobox", { name: "Model" }).fill("near/station-7b");
    await form.getByRole("button", { name: "Ask" }).click();
    await expect(form.getByRole("status", { name: "Answer" })).toContainText("The barometer");
    await form.getByRole("combobox", { name: "Model" }).fill("far/any");
    await form.getByRole("button", { name: "Ask" }).click();
    await expect(form.getByRole("alert")).toContainText(/offline/i);
  });

  await test.step("what it means stands with it, by keyboard too", async () => {
    await item.focus();
    await page.keyboard.press("Enter");
    const meaning = page.getByRole("dialog", { name: "Offline" });
    await expect(meaning).toContainText("send nothing off this machine");
    await expect(meaning).toContainText("No running workspace has network access.");
    await look(page, "offline");
    await page.keyboard.press("Escape");
    await expect(meaning).toHaveCount(0);
    await expect(item).toBeFocused();
  });

  await test.step("what could not be had for a workspace is told before it is made", async () => {
    const [here] = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
      .split("\n")
      .filter((name) => name !== "" && !name.includes("<none>") && !name.startsWith("aicockpit/"));
    if (here === undefined) throw new Error("Docker has no image");
    await cockpit.home();
    const field = page.getByRole("textbox", { name: "What to make a workspace from" });
    const form = page.locator("form").filter({ has: field });
    const create = form.getByRole("button", { name: "Create workspace" });
    await field.fill("https://example.org/team/repository.git");
    await expect(form).toContainText("Offline: team/repository is not on this machine");
    await expect(create).toBeDisabled();
    await look(page, "offline-clone");
    await field.fill("nothing.example/no-such-image:1");
    await form.getByRole("button", { name: "Details" }).click();
    await form.getByRole("combobox", { name: "Engine" }).click();
    await page.getByRole("option", { name: "Docker", exact: true }).click();
    await expect(form).toContainText(
      "Offline: nothing.example/no-such-image:1 is not on this machine (Docker)",
    );
    await expect(create).toBeDisabled();
    await field.fill(here);
    if ((await form.getByRole("radio").count()) > 0) await form.getByRole("radio", { name: "Image" }).click();
    await expect(create).toBeEnabled();
    await field.fill("sketch");
    const image = form.getByRole("combobox", { name: "Image" });
    await image.fill("no-such-image:1");
    await expect(form).toContainText("Offline: no-such-image:1 is not on this machine (Docker)");
    await look(page, "offline-image");
    await image.fill(here.split(":")[0] ?? here);
    await page.getByRole("option").filter({ hasText: here }).first().click();
    await expect(image).toHaveValue(here);
    await expect(form).not.toContainText("Offline: no-such-image:1");
  });

  await test.step("online again, it can be made", async () => {
    const field = page.getByRole("textbox", { name: "What to make a workspace from" });
    const form = page.locator("form").filter({ has: field });
    await field.fill("https://example.org/team/repository.git");
    await form.getByRole("button", { name: "Go online" }).click();
    await expect(form.getByRole("button", { name: "Create workspace" })).toBeEnabled();
    await expect(item).toHaveCount(0);
    await cockpit.command("Go offline");
  });

  await test.step("it stays through a reload, and the switch in the settings ends it", async () => {
    await page.reload();
    await expect(item).toBeVisible();
    await cockpit.command("Open settings");
    await page.getByRole("navigation", { name: "Settings" }).getByRole("button", { name: "General" }).click();
    const offline = page.getByRole("switch", { name: "Offline" });
    await expect(offline).toBeChecked();
    await offline.click();
    await expect(item).toHaveCount(0);
    await expect(offline).not.toBeChecked();
  });

  await test.step("back online from the status bar", async () => {
    await cockpit.command("Go offline");
    await item.click();
    await page.getByRole("button", { name: "Go online" }).click();
    await expect(item).toHaveCount(0);
  });
});
