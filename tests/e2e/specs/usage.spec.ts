import { look } from "../support/look.ts";
import { addServer, ANSWER, freePort, withModels } from "../support/models.ts";
import { expect, test } from "../support/test.ts";

withModels(
  "programs of this machine get a key, are counted, priced, limited, and looked at",
  async ({ page, cockpit, models }) => {
    const port = await freePort();
    const parts = page.getByRole("navigation", { name: "Parts of the settings of models" });
    let access = { url: "", key: "" };
    const ask = (content: string, stream = true) =>
      fetch(`${access.url}/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${access.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "station-7b", stream, messages: [{ role: "user", content }] }),
      });

    await test.step("before anything was asked, the page says what it will show", async () => {
      await cockpit.command("Show model usage");
      await expect(page.getByRole("heading", { name: "No model was asked in this time" })).toBeVisible();
      await expect(page.getByText("No request came yet.")).toBeVisible();
      await look(page, "usage-empty");
    });

    await test.step("a key is made, and shown once", async () => {
      await cockpit.command("Show models");
      await addServer(page, "station", models.url);
      await parts.getByRole("button", { name: "Other programs" }).click();
      await expect(page.getByRole("button", { name: "Make a key" })).toBeDisabled();
      await page.getByRole("switch", { name: "Answer programs of this machine" }).click();
      const field = page.getByRole("textbox", { name: "Port" });
      await field.fill(String(port));
      await field.press("Enter");
      await expect(page.getByText(`http://127.0.0.1:${port}/v1`)).toBeVisible();
      await page.getByRole("button", { name: "Make a key" }).click();
      const made = page.getByRole("status").filter({ hasText: "Copy it now" });
      await made.getByRole("button", { name: "Copy" }).last().click();
      const line = await page.evaluate(() => navigator.clipboard.readText());
      const [, url = "", key = ""] = /^export OPENAI_BASE_URL=(\S+) OPENAI_API_KEY=(\S+)$/.exec(line) ?? [];
      expect(url).toBe(`http://127.0.0.1:${port}/v1`);
      access = { url, key };
      await look(page, "models-programs");
      await page.reload();
      expect(await page.content()).not.toContain(key);
    });

    await test.step("a price is given to a model, and checked", async () => {
      await parts.getByRole("button", { name: "Limits and prices" }).click();
      await page.getByRole("button", { name: "Add price" }).click();
      const form = page.getByRole("form", { name: "Add price" });
      await form.getByRole("combobox", { name: "Model" }).fill("st*tion");
      await form.getByRole("button", { name: "Add price" }).click();
      await expect(form).toContainText("A * stands only at the end");
      await form.getByRole("combobox", { name: "Model" }).fill("station-*");
      await form.getByRole("textbox", { name: "Questions", exact: true }).fill("1000");
      await form.getByRole("textbox", { name: "Answers" }).fill("2000");
      await page.keyboard.press("Enter");
      const price = page.getByRole("listitem", { name: "* / station-*" });
      await expect(price).toContainText("$1,000.00 in");
      await expect(page.getByRole("button", { name: "Add price" })).toBeFocused();
    });

    await test.step("requests are summed by themselves, in tiles, a chart and tables", async () => {
      await cockpit.command("Show model usage");
      expect((await ask("pressure?")).status).toBe(200);
      expect((await ask("and now?", false)).status).toBe(200);
      const tile = (word: string) =>
        page.locator("dl > div").filter({ has: page.getByText(word, { exact: true }) });
      await expect(tile("Requests")).toContainText("2");
      await expect(tile("Tokens in")).toContainText("2,400");
      await expect(tile("Tokens out")).toContainText("60");
      // 2 × (1,200 × 1,000 + 30 × 2,000) / 1,000,000
      await expect(tile("Cost")).toContainText("$2.52");
      await expect(tile("First piece")).toContainText(/\d m?s/);
      await expect(tile("First piece")).toContainText("median of all");
      await expect(tile("Tokens a second")).toBeVisible();
      await expect(page.getByRole("list", { name: "Legend" })).toHaveText("station-7b");
      await page.getByRole("button", { name: "Figures of the chart" }).click();
      const figures = page.getByRole("region", { name: "Figures of the chart" });
      await expect(figures.getByRole("columnheader")).toHaveText(["Time", "station-7b", "Together"]);
      await look(page, "usage");
      await page.getByRole("combobox", { name: "Told apart" }).click();
      await page.getByRole("option", { name: "By workspace" }).click();
      const sums = page.getByRole("region", { name: "Table of sums" });
      await expect(sums.getByRole("row", { name: /^This machine/ })).toContainText("2,400");
      await expect(sums.getByRole("row", { name: /^Together/ })).toContainText(/\d m?s/);
      await page.getByRole("button", { name: "12 months" }).click();
      await expect(sums.getByRole("row", { name: /^This machine/ })).toContainText("2,400");
    });

    const table = page.getByRole("table", { name: "Requests" });
    const row = (index: number) => table.getByRole("row").nth(index);

    await test.step("a request says where its time went, and that it was not kept", async () => {
      await expect(table.getByRole("row")).toHaveCount(3);
      await row(1).getByRole("button").focus();
      await page.keyboard.press("ArrowDown");
      await expect(row(2).getByRole("button")).toBeFocused();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog", { name: "station-7b" });
      await expect(dialog.getByRole("region", { name: "Time" })).toContainText("First piece");
      await expect(dialog).toContainText("station / station-7b");
      await expect(dialog).toContainText("Prompts are not kept.");
      await look(page, "usage-request");
      await dialog.getByRole("switch", { name: "Keep prompts from now on" }).click();
      await page.keyboard.press("Escape");
      await expect(page.getByRole("switch", { name: "Keep prompts" })).toBeChecked();
      await expect(row(2).getByRole("button")).toBeFocused();
    });

    await test.step("one that is kept shows its question and answer, and nothing unseen", async () => {
      await (await ask("what\u202e now?")).text();
      await expect(table.getByRole("row")).toHaveCount(4);
      await row(1).getByRole("button").click();
      const dialog = page.getByRole("dialog", { name: "station-7b" });
      await expect(dialog.getByRole("region", { name: "Question" })).toContainText("whatU+202E now?");
      const answer = dialog.getByRole("region", { name: "Answer" });
      await expect(answer.locator("pre")).toContainText(ANSWER);
      await answer.getByRole("switch", { name: "As it went out" }).click();
      await expect(answer.locator("pre")).toContainText('data: {"');
      await look(page, "usage-kept");
      await page.keyboard.press("Escape");
    });

    await test.step("a budget that is used up refuses, and both pages say so", async () => {
      await cockpit.command("Show limits and prices");
      const machine = page.getByRole("listitem", { name: "This machine" });
      await expect(machine).toContainText("3,690 tokens");
      await page.getByRole("button", { name: "Give limits of its own" }).click();
      await page.keyboard.type("machine");
      await page.keyboard.press("Enter");
      const form = page.getByRole("form", { name: "Limits: This machine" });
      await form.getByRole("textbox", { name: "Tokens a day" }).fill("many");
      await form.getByRole("button", { name: "Save" }).click();
      await expect(form).toContainText("A whole number from 0.");
      await form.getByRole("textbox", { name: "Tokens a day" }).fill("2k");
      await page.keyboard.press("Enter");
      await expect(machine).toContainText("2,000 tokens a day");
      await expect(machine).toContainText("Used up");
      await look(page, "models-limits");
      const refused = await ask("once more?");
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
      await cockpit.command("Show model usage");
      await page.getByRole("checkbox", { name: "Only those in trouble" }).click();
      await expect(table.getByRole("row")).toHaveCount(2);
      await expect(row(1)).toContainText("Refused 429");
      const requests = page.locator("dl > div").filter({ has: page.getByText("Requests", { exact: true }) });
      await expect(requests).toContainText("1 refused");
    });

    await test.step("without limits of its own it is answered again, and undo gives them back", async () => {
      await cockpit.command("Show limits and prices");
      const machine = page.getByRole("listitem", { name: "This machine" });
      await machine.getByRole("button", { name: "Take away its own limits: This machine" }).click();
      await expect(machine).toContainText("No limit");
      expect((await ask("and again?")).status).toBe(200);
      await page.getByRole("button", { name: "Undo" }).click();
      await expect(machine).toContainText("2,000 tokens a day");
    });
  },
);
