import { look } from "../support/look.ts";
import { ANSWER, withModels } from "../support/models.ts";
import { expect, test } from "../support/test.ts";

withModels(
  "a model server is added, named, switched off and on, found failing and well, and removed",
  async ({ page, cockpit, models }) => {
    await cockpit.command("Show models");
    const server = page.getByRole("region", { name: "station", exact: true });
    const state = server.getByRole("status");
    const empty = page.getByRole("heading", { name: "No model server yet" });

    await test.step("with none, how to get one is told", async () => {
      await expect(empty).toBeVisible();
      await expect(page.getByText("llama-server --model")).toBeVisible();
      await look(page, "models-empty");
    });

    await test.step("one is added by its address, which is checked", async () => {
      await page.getByRole("button", { name: "Add a server" }).click();
      const form = page.getByRole("form", { name: "Add a server" });
      const name = form.getByRole("textbox", { name: "Name" });
      await expect(name).toBeFocused();
      await name.fill("station");
      const address = form.getByRole("textbox", { name: "Address" });
      await address.fill(models.url.replace("http://", ""));
      await form.getByRole("button", { name: "Add server" }).click();
      await expect(form).toContainText("An address begins with http://");
      await expect(address).toBeFocused();
      await look(page, "models-refused");
      await address.fill(models.url);
      await expect(form).toContainText(`Requests go to ${models.url}/chat/completions.`);
      await page.keyboard.press("Enter");
      await expect(state).toContainText("Ready");
      await expect(empty).toHaveCount(0);
      await expect(page.getByRole("button", { name: "Add a server" })).toBeFocused();
    });

    await test.step("its models are there by the names that clients use", async () => {
      await server.getByRole("button", { name: "2 models" }).click();
      const list = server.getByRole("list", { name: "Models of station" });
      await expect(list.getByRole("listitem")).toHaveText(["station-7b", "station-70b"]);
      await list.getByRole("button", { name: "Copy" }).first().click();
      await expect(list.getByRole("button", { name: "Copied" })).toBeVisible();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("station-7b");
    });

    await test.step("a name leads to its models in an order, changed by keyboard", async () => {
      await page.getByRole("button", { name: "Add a name" }).click();
      const form = page.getByRole("form", { name: "Add a name" });
      await form.getByRole("textbox", { name: "Name" }).fill("weather");
      await form.getByRole("button", { name: "Add name" }).click();
      await expect(form).toContainText("Name a model of this server.");
      await form.getByRole("combobox", { name: "Model 1" }).fill("station-7b");
      await form.getByRole("button", { name: "Add a model" }).click();
      const second = form.getByRole("combobox", { name: "Model 2" });
      await second.fill("station-70b");
      await second.press("Alt+ArrowUp");
      await expect(form.getByRole("combobox", { name: "Model 1" })).toHaveValue("station-70b");
      await expect(form.getByRole("combobox", { name: "Model 1" })).toBeFocused();
      await form.getByRole("button", { name: "Add name" }).click();
      const name = page.getByRole("listitem", { name: "weather" });
      await expect(name.getByRole("listitem")).toHaveText([
        /1station \/ station-70b/,
        /2station \/ station-7b/,
      ]);
      await look(page, "models-named");
    });

    await test.step("a name that is changed keeps the focus", async () => {
      const rename = async (from: string, to: string) => {
        await page.getByRole("listitem", { name: from }).getByRole("button", { name: "Edit name" }).click();
        const field = page.getByRole("form", { name: `Edit ${from}` }).getByRole("textbox", { name: "Name" });
        await field.fill(to);
        await field.press("Enter");
        const edit = page.getByRole("listitem", { name: to }).getByRole("button", { name: "Edit name" });
        await expect(edit).toBeFocused();
      };
      await rename("weather", "climate");
      await rename("climate", "weather");
    });

    await test.step("switched off it is not used, and on again it is", async () => {
      const use = server.getByRole("switch", { name: "Use" });
      await use.click();
      await expect(state).toContainText("Off");
      await expect(page.getByRole("listitem", { name: "weather" })).toContainText("(off)");
      await page.reload();
      await expect(use).not.toBeChecked();
      await use.click();
      await expect(state).toContainText("Ready");
    });

    await test.step("closed it fails and says why, and is well again when it is back", async () => {
      await models.stop();
      await server.getByRole("button", { name: "Check again" }).click();
      await expect(state).toContainText("Failing");
      await expect(server).toContainText("refused");
      await expect(server).toContainText("Start it, or correct its address.");
      await expect(server).toContainText("It is asked again");
      await look(page, "models-failing");
      await models.start();
      // By itself: the host asks again.
      await expect(state).toContainText("Ready", { timeout: 60_000 });
    });

    await test.step("removed, its name goes with it as was told, and undo brings both back", async () => {
      await server.getByRole("button", { name: "Remove server" }).focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog", { name: "Remove station?" });
      await expect(dialog.getByRole("list", { name: "Names that lead to it" })).toContainText(
        "weather leads only here, and is removed too.",
      );
      await dialog.getByRole("button", { name: "Remove server" }).click();
      await expect(empty).toBeVisible();
      await expect(page.getByRole("button", { name: "Add a server" })).toBeFocused();
      await page.getByRole("button", { name: "Undo" }).click();
      await expect(state).toContainText("Ready");
      await expect(page.getByRole("listitem", { name: "weather" })).toBeVisible();
    });

    await test.step("its key is kept, never shown, and named before it is lost", async () => {
      await server.getByRole("button", { name: "Edit server" }).click();
      const key = server.getByLabel("Key", { exact: true });
      await expect(key).toHaveAttribute("type", "password");
      await key.fill("sk-very-secret");
      await server.getByRole("button", { name: "Save" }).click();
      await expect(key).toHaveCount(0);
      await server.getByRole("button", { name: "Edit server" }).click();
      await expect(key).toHaveValue("");
      await expect(key).toHaveAttribute("placeholder", "Kept; type to replace it");
      expect(await page.content()).not.toContain("sk-very-secret");
      await page.keyboard.press("Escape");
      await server.getByRole("button", { name: "Remove server" }).click();
      const dialog = page.getByRole("dialog", { name: "Remove station?" });
      await expect(dialog).toContainText("Its key is forgotten");
      await look(page, "models-remove");
      await dialog.getByRole("button", { name: "Remove server" }).click();
      await expect(empty).toBeVisible();
    });
  },
);

withModels("a terminal of a workspace asks for a model by its name", async ({ page, cockpit, models }) => {
  test.setTimeout(10 * 60_000);
  await cockpit.command("Show models");
  await page.getByRole("button", { name: "Add a server" }).click();
  const form = page.getByRole("form", { name: "Add a server" });
  await form.getByRole("textbox", { name: "Name" }).fill("station");
  await form.getByRole("textbox", { name: "Address" }).fill(models.url);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "station", exact: true })).toContainText("Ready");
  await page.getByRole("button", { name: "Add a name" }).click();
  const naming = page.getByRole("form", { name: "Add a name" });
  await naming.getByRole("textbox", { name: "Name" }).fill("weather");
  await naming.getByRole("combobox", { name: "Model 1" }).fill("station-7b");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("listitem", { name: "weather" })).toBeVisible();

  await cockpit.home();
  await cockpit.create("meteo", { name: "meteo" });
  await cockpit.run(
    'curl -sN "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" ' +
      '-H "Content-Type: application/json" ' +
      '-d \'{"model":"weather","stream":true,"messages":[{"role":"user","content":"pressure?"}]}\' ' +
      "| grep -o '\"content\":\"[^\"]*\"' | cut -d'\"' -f4 | tr -d '\\n'; echo",
  );
  await cockpit.sees(ANSWER);
  expect(models.asked).toEqual(["station-7b"]);
});
