import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Page } from "@playwright/test";
import { type Cockpit } from "../support/cockpit.ts";
import { docker } from "../support/docker.ts";
import { type Host } from "../support/host.ts";
import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

// The real llama.cpp and a small model, as `cargo xtask test` brings them.
const program = process.env.AICOCKPIT_TEST_LLAMA_SERVER;
const weights = process.env.AICOCKPIT_TEST_GGUF;
/** Serves models as the program does, in a container. */
const image = process.env.AICOCKPIT_TEST_LLAMA_IMAGE;

if (image === undefined)
  console.log("NOT RUN: models in containers; AICOCKPIT_TEST_LLAMA_IMAGE names no image");

/** Containers of model servers that a host made. */
function containersOf(host: Host): string[] {
  const filters = [
    `label=dev.aicockpit.owner=${host.owner() ?? ""}`,
    "label=dev.aicockpit.kind=model-server",
  ];
  const names = docker(
    "ps",
    "--all",
    ...filters.flatMap((each) => ["--filter", each]),
    "--format",
    "{{.Names}}",
  );
  return names.split("\n").filter((name) => name !== "");
}

/** Lets a folder with the model in it be looked through. */
async function addFolder(page: Page, folder: string): Promise<void> {
  mkdirSync(join(folder, "deep"));
  copyFileSync(weights ?? "", join(folder, "deep", "small.gguf"));
  await expect(page.getByRole("region", { name: "Folders" })).toBeVisible();
  const field = page.getByRole("textbox", { name: "Look in another folder too" });
  await field.fill(folder);
  await field.press("Enter");
  await expect(page.getByRole("button", { name: `Do not look in ${folder}` })).toBeVisible();
}

/** Gives the model a name of the person's own. */
async function addName(page: Page, cockpit: Cockpit, name: string): Promise<void> {
  await cockpit.command("Show models");
  await page.getByRole("button", { name: "Add a name" }).click();
  const form = page.getByRole("form", { name: "Add a name" });
  await form.getByRole("textbox", { name: "Name" }).fill(name);
  await form.getByRole("combobox", { name: "Model 1" }).fill("small");
  await form.getByRole("button", { name: "Add name" }).click();
  await expect(page.getByRole("listitem", { name, exact: true })).toContainText("small / small");
}

const withFolder = test.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "aicockpit-models-"));
    try {
      await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

withFolder("without a model, how to get one is told", async ({ page, cockpit, folder }) => {
  await cockpit.command("Show local models");
  await expect(page.getByRole("heading", { name: "No model is set up yet" })).toBeVisible();
  await expect(page.getByRole("list", { name: "Memory of this machine" })).toContainText(/free of/);

  await test.step("a folder is added where it is one, and its broken file is told", async () => {
    const broken = join(folder, "broken.gguf");
    writeFileSync(broken, "GGUF");
    const folders = page.getByRole("region", { name: "Folders" });
    const field = folders.getByRole("textbox", { name: "Look in another folder too" });
    await field.fill("models");
    await field.press("Enter");
    await expect(folders).toContainText("A whole path");
    await field.fill(folder);
    await field.press("Enter");
    await expect(folders.getByRole("listitem").filter({ hasText: folder })).toBeVisible();
    await page.getByRole("button", { name: "Add model" }).click();
    const find = page.getByRole("combobox", { name: "Find a model" });
    await expect(find).toBeFocused();
    await find.fill(basename(folder));
    const option = page.getByRole("option").filter({ hasText: broken });
    await expect(option).toHaveAttribute("aria-disabled", "true");
    await look(page, "local-broken-file");
    await find.press("Enter");
    await expect(page.getByRole("form", { name: "New model" })).toHaveCount(0);
    await page.keyboard.press("Escape");
  });

  await test.step("a folder that is taken out is looked at no more", async () => {
    await page.getByRole("button", { name: `Do not look in ${folder}` }).click();
    await expect(page.getByText(folder, { exact: true })).toHaveCount(0);
  });
});

withFolder(
  "a model is added, loaded when it is asked, watched, stopped, failing, and removed",
  async ({ page, cockpit, folder }) => {
    test.skip(
      program === undefined || weights === undefined,
      "AICOCKPIT_TEST_LLAMA_SERVER and AICOCKPIT_TEST_GGUF name no program and no model",
    );
    await cockpit.command("Show local models");
    const card = page.getByRole("region", { name: "small", exact: true });
    const state = card.getByRole("status").first();

    await test.step("the program and the folder are named", async () => {
      const path = page.getByRole("textbox", { name: "llama-server" });
      await path.fill(program ?? "");
      await path.press("Enter");
      await addFolder(page, folder);
    });

    await test.step("by keyboard alone a model is chosen and added", async () => {
      await page.getByRole("button", { name: "Add model" }).focus();
      await page.keyboard.press("Enter");
      const find = page.getByRole("combobox", { name: "Find a model" });
      await find.fill(basename(folder));
      await expect(page.getByRole("option")).toHaveCount(1);
      await expect(page.getByRole("option")).toContainText("GGUF");
      await look(page, "local-add");
      await page.keyboard.press("Enter");
      const form = page.getByRole("form", { name: "New model" });
      const name = form.getByRole("textbox", { name: "Name" });
      await expect(name).toBeFocused();
      await name.fill("small model");
      await page.keyboard.press("Enter");
      await expect(form).toContainText("No spaces and no slashes");
      await name.fill("small");
      await form.getByRole("textbox", { name: "Context" }).fill("1024");
      await expect(form.getByRole("combobox", { name: "Runs as" })).toContainText("Program on this machine");
      await look(page, "local-form");
      await page.keyboard.press("Enter");
      await expect(state).toContainText("Asleep");
      await expect(page.getByRole("button", { name: "Add model" })).toBeFocused();
    });

    await test.step("asked, it is loaded and answers", async () => {
      await card.getByRole("button", { name: "Try model" }).click();
      const form = card.getByRole("form", { name: "Try small" });
      await form.getByRole("button", { name: "Ask" }).click();
      await expect(form.getByRole("status", { name: "Answer" })).toContainText("First piece after", {
        timeout: 120_000,
      });
      await expect(state).toContainText("Ready");
      await expect(card).toContainText(/in use/);
      await expect(card).toContainText(/Unloads in 1[45] min/);
      await look(page, "local-ready");
    });

    await test.step("its log is read and copied", async () => {
      await card.getByRole("button", { name: "Show log" }).click();
      await expect(card.getByRole("log", { name: "Log of small" })).toContainText(/\S/);
      await look(page, "local-log");
      await card.getByRole("button", { name: "Show log" }).click();
    });

    await test.step("stopped it sleeps, and starts by hand", async () => {
      await card.getByRole("button", { name: "Stop", exact: true }).click();
      await expect(state).toContainText("Asleep");
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await expect(state).toContainText("Ready", { timeout: 120_000 });
    });

    await test.step("with wrong arguments it fails, and says why", async () => {
      await card.getByRole("button", { name: "Stop", exact: true }).click();
      await expect(state).toContainText("Asleep");
      await card.getByRole("button", { name: "Edit model" }).click();
      const form = card.getByRole("form", { name: "Edit small" });
      await form.getByRole("button", { name: "More" }).click();
      await form.getByRole("textbox", { name: "More arguments" }).fill("--no-such-argument");
      await form.getByRole("button", { name: "Save" }).click();
      await expect(card.getByRole("button", { name: "Edit model" })).toBeFocused();
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await expect(state).toContainText("Failed", { timeout: 60_000 });
      await expect(card.getByRole("button", { name: "Try again" })).toBeVisible();
      await look(page, "local-failed");
    });

    await test.step("the program is told with its version, and how it is brought up to date", async () => {
      const row = page.getByText("Path of the program; empty for the one that is found.").locator("../../..");
      await expect(row).toContainText(program ?? "");
      await expect(
        row.getByRole("button", { name: /^(Update llama-server|How to update it)$/ }),
      ).toBeVisible();
      await row.scrollIntoViewIfNeeded();
      await look(page, "local-programs");
    });

    await test.step("removed, the names that lead to it are told and mended, and undo brings all back", async () => {
      await addName(page, cockpit, "fast");
      await cockpit.command("Show local models");
      await card.getByRole("button", { name: "Remove model" }).click();
      const dialog = page.getByRole("dialog", { name: "Remove small?" });
      await expect(dialog.getByRole("list", { name: "Names that lead to it" })).toContainText(
        "fast leads only here, and is removed too.",
      );
      await look(page, "local-remove");
      await dialog.getByRole("button", { name: "Remove model" }).click();
      await expect(card).toHaveCount(0);
      await expect(page.getByRole("button", { name: "Add model" })).toBeFocused();
      await expect(page.getByText("Its file stays where it is.")).toBeVisible();
      await page.getByRole("button", { name: "Undo" }).click();
      await expect(card).toBeVisible();
      await cockpit.command("Show models");
      await expect(page.getByRole("listitem", { name: "fast", exact: true })).toContainText("small / small");
    });
  },
);

withFolder(
  "without a program, a model runs in a container, is watched, and leaves none behind",
  async ({ page, cockpit, folder, host }) => {
    test.skip(
      image === undefined || weights === undefined,
      "AICOCKPIT_TEST_LLAMA_IMAGE and AICOCKPIT_TEST_GGUF name no image and no model",
    );
    await cockpit.command("Show local models");
    const card = page.getByRole("region", { name: "small", exact: true });
    const state = card.getByRole("status").first();

    await test.step("where there is no program, a container is offered first, with the image that is here", async () => {
      await addFolder(page, folder);
      await page.getByRole("button", { name: "Add model" }).click();
      await page.getByRole("combobox", { name: "Find a model" }).fill(basename(folder));
      await expect(page.getByRole("option")).toHaveCount(1);
      await page.keyboard.press("Enter");
      const form = page.getByRole("form", { name: "New model" });
      await expect(form.getByRole("combobox", { name: "Runs as" })).toContainText("Container");
      const field = form.getByRole("combobox", { name: "Image" });
      await field.fill("llama-server");
      await page
        .getByRole("option")
        .filter({ hasText: image ?? "" })
        .first()
        .click();
      await expect(field).toHaveValue(new RegExp(`${image ?? ""}$`));
      await expect(form).toContainText(/\d [MG]B, on Docker/);
      await form.getByRole("textbox", { name: "Name" }).fill("small");
      await form.getByRole("textbox", { name: "Context" }).fill("1024");
      await look(page, "local-container-form");
      await form.getByRole("button", { name: "Add model" }).click();
      await expect(state).toContainText("Asleep");
      await expect(card).toContainText("Container");
      expect(containersOf(host)).toEqual([]);
    });

    await test.step("asked, it is started without a network, and answers", async () => {
      await card.getByRole("button", { name: "Try model" }).click();
      const form = card.getByRole("form", { name: "Try small" });
      await form.getByRole("button", { name: "Ask" }).click();
      await expect(form.getByRole("status", { name: "Answer" })).toContainText("First piece after", {
        timeout: 180_000,
      });
      await expect(state).toContainText("Ready");
      const [name = "none"] = containersOf(host);
      await expect(card).toContainText(name);
      expect(docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", name)).toBe("none");
      await look(page, "local-container-ready");
    });

    await test.step("an update says first what it stops; where the image cannot be had, why", async () => {
      const row = page.getByRole("region", { name: /^Image / });
      await row.getByRole("button", { name: /^Update / }).click();
      const dialog = page.getByRole("dialog", { name: /^Update / });
      await expect(dialog.getByRole("list", { name: "Models that are stopped" })).toHaveText("small");
      await look(page, "local-update-asked");
      await dialog.getByRole("button", { name: "Stop and update" }).click();
      await expect(row.getByRole("alert")).toContainText("was not updated", { timeout: 120_000 });
      await expect(row.getByRole("button", { name: "Try again" })).toBeVisible();
      await expect(state).toContainText("Asleep");
      await look(page, "local-update-failed");
    });

    await test.step("offline it runs on, and is not updated", async () => {
      await cockpit.command("Go offline");
      const row = page.getByRole("region", { name: /^Image / });
      await expect(row.getByRole("button", { name: /^Update / })).toBeDisabled();
      await expect(row).toContainText("Offline: an update would be fetched from elsewhere.");
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await expect(state).toContainText("Ready", { timeout: 180_000 });
      await cockpit.command("Go online");
    });

    await test.step("stopped or removed, its container goes", async () => {
      await card.getByRole("button", { name: "Stop", exact: true }).click();
      await expect(state).toContainText("Asleep");
      await expect.poll(() => containersOf(host)).toEqual([]);
      await card.getByRole("button", { name: "Start", exact: true }).click();
      await expect(state).toContainText("Ready", { timeout: 180_000 });
      await card.getByRole("button", { name: "Remove model" }).click();
      await expect(card).toHaveCount(0);
      await expect.poll(() => containersOf(host), { timeout: 60_000 }).toEqual([]);
    });
  },
);
