// Walks the home screen by keyboard alone, and breaks and mends the connection, against the fixture host.
//   npm run build && node tests/keyboard.mjs
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { startHost } from "./host.mjs";

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function open(url, scenario) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  page.on("pageerror", (error) => assert.fail(`${scenario}: ${error.stack}`));
  await page.goto(`${url}/#token=${scenario}`);
  return page;
}

const focused = (page) =>
  page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.tagName);
const role = (page) => page.evaluate(() => document.activeElement?.getAttribute("role"));
const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};

async function until(what, condition) {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const tests = {
  "Tab reaches the list, arrows walk it, letters jump": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").first().waitFor();
    await until("focus in the list", async () => {
      await press(page, "Tab");
      return (await focused(page))?.startsWith("api-server,");
    });
    await press(page, "ArrowRight");
    assert.equal(await focused(page), "web, Running");
    await press(page, "n");
    assert.equal(await focused(page), "notes, Stopped");
    await press(page, "Home");
    assert.equal(await focused(page), "api-server, Running");
  },

  "a workspace is renamed in place": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").first().focus();
    await press(page, "F2");
    await page.keyboard.type("renamed");
    await press(page, "Enter");
    await until("the new name", async () => (await focused(page)) === "renamed, Running");
  },

  "a stopped workspace starts from its menu": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").nth(2).focus();
    await press(page, "Shift+F10");
    await until("focus in the menu", async () => (await role(page)) === "menuitem");
    await press(page, "ArrowDown");
    await until("focus on Start", () =>
      page.evaluate(() => document.activeElement.textContent.startsWith("Start")),
    );
    await press(page, "Enter");
    await page.getByLabel("notes, Running").waitFor();
  },

  "deleting names what is lost, and Escape keeps it": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").first().focus();
    await press(page, "Delete");
    await page.getByText("3 changed files not committed").waitFor();
    await press(page, "Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.equal(await page.locator("[data-workspace]").count(), 3);
    await until("focus back", async () => (await focused(page))?.startsWith("api-server,"));
    await press(page, "Delete");
    await page.getByText("3 changed files not committed").waitFor();
    await press(page, "Tab", "Enter");
    await until("the deletion", async () => (await page.locator("[data-workspace]").count()) === 2);
  },

  "several are selected and stopped at once": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").first().focus();
    await press(page, "Space", "ArrowRight", "Space");
    await page.getByRole("button", { name: "Stop", exact: true }).press("Enter");
    await page.getByLabel("web, Stopped").waitFor();
    await page.getByLabel("api-server, Stopped").waitFor();
  },

  "a workspace is created from what was typed": async (url) => {
    const page = await open(url, "three");
    await page.locator("[data-workspace]").first().waitFor();
    await press(page, "Control+Alt+n");
    await page.getByLabel("What to make a workspace from").waitFor();
    await page.keyboard.type("https://github.com/acme/billing");
    await page.getByText("Clones acme/billing").waitFor();
    await press(page, "Enter");
    await page.getByText("Cloning repository").first().waitFor();
  },

  "the palette runs a command, the switcher opens a workspace": async (url) => {
    const page = await open(url, "states");
    await page.locator("[data-workspace]").first().waitFor();
    await press(page, "F1");
    await page.keyboard.type("keyboard short");
    await press(page, "Enter");
    await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
    await press(page, "Control+Shift+Y");
    await page.keyboard.type("billing");
    await press(page, "Enter");
    await page.getByRole("heading", { name: "private-billing" }).waitFor();
    await press(page, "Control+Shift+0");
    await page.getByRole("heading", { name: "Workspaces" }).waitFor();
  },

  "five hundred are walked to the end": async (url) => {
    const page = await open(url, "fivehundred");
    await page.locator("[data-workspace]").first().focus();
    const drawn = await page.locator("[data-workspace]").count();
    assert.ok(drawn < 60, `${drawn} of 500 are drawn`);
    await press(page, "End");
    await until("the last one", async () => (await focused(page))?.includes("-500,"));
  },

  "a broken connection is told, and mends itself": async () => {
    const first = await startHost();
    const port = first.server.address().port;
    const page = await open(first.url, "three");
    await page.locator("[data-workspace]").first().waitFor();
    first.server.closeAllConnections();
    for (const socket of first.sockets.clients) socket.terminate();
    await new Promise((resolve) => first.server.close(resolve));
    await page.getByText("The host does not answer.").waitFor();
    assert.equal(await page.locator("[data-workspace]").count(), 3, "what was known stays in view");
    const second = await startHost(port);
    await page.getByText("The host does not answer.").waitFor({ state: "hidden", timeout: 20_000 });
    second.server.closeAllConnections();
    second.server.close();
  },
};

const { url, server } = await startHost();
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test(url);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${error.message}`);
  }
}
await browser.close();
server.closeAllConnections();
server.close();
process.exitCode = failed > 0 ? 1 : 0;
