import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

// The real llama.cpp and a small model, as `cargo xtask test` brings them.
const program = process.env.AICOCKPIT_TEST_LLAMA_SERVER;
const weights = process.env.AICOCKPIT_TEST_GGUF;

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
    mkdirSync(join(folder, "deep"));
    copyFileSync(weights ?? "", join(folder, "deep", "small.gguf"));
    await cockpit.command("Show local models");
    const card = page.getByRole("region", { name: "small", exact: true });
    const state = card.getByRole("status").first();

    await test.step("the program and the folder are named", async () => {
      const path = page.getByRole("textbox", { name: "llama-server" });
      await path.fill(program ?? "");
      await path.press("Enter");
      await expect(page.getByRole("region", { name: "Folders" })).toBeVisible();
      const field = page.getByRole("textbox", { name: "Look in another folder too" });
      await field.fill(folder);
      await field.press("Enter");
      await expect(page.getByRole("button", { name: `Do not look in ${folder}` })).toBeVisible();
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

    await test.step("removed, its file stays and undo brings it back", async () => {
      await card.getByRole("button", { name: "Remove model" }).click();
      await expect(card).toHaveCount(0);
      await expect(page.getByText("Its file stays where it is.")).toBeVisible();
      await page.getByRole("button", { name: "Undo" }).click();
      await expect(card).toBeVisible();
    });
  },
);
