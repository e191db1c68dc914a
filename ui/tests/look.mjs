// Takes a picture of every screen and state in both themes and three sizes, and runs axe on each.
//   npm run build && node tests/look.mjs OUT_FOLDER [screen…]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { startHost } from "./host.mjs";
import { LOCAL_SCREENS } from "./look-models.mjs";

const [out = "look", ...only] = process.argv.slice(2);
mkdirSync(out, { recursive: true });

const SIZES = { wide: [1440, 900], small: [1024, 700], phone: [390, 844] };
// LOOK_THEMES and LOOK_SIZES narrow a run: `LOOK_SIZES=phone node tests/look.mjs out three`.
const themes = (process.env.LOOK_THEMES ?? "light,dark").split(",");
const sizes = (process.env.LOOK_SIZES ?? Object.keys(SIZES).join()).split(",");
const visible = (page, text) => page.getByText(text).first().waitFor();

// By the palette: on a phone the toolbar has no button for it.
const showTable = async (page) => {
  await page.keyboard.press("F1");
  await page.keyboard.type("show as table");
  await page.keyboard.press("Enter");
};

const SCREENS = {
  "first-run": { scenario: "none" },
  "no-engine": { scenario: "noengine" },
  three: { scenario: "three" },
  "three-table": {
    scenario: "three",
    act: showTable,
  },
  states: { scenario: "states" },
  "states-table": { scenario: "states", act: showTable },
  many: { scenario: "many" },
  "many-table": { scenario: "many", act: showTable },
  selected: {
    scenario: "states",
    act: async (page) => {
      await page.locator("[data-workspace]").first().focus();
      for (const key of ["Space", "ArrowRight", "Space"]) await page.keyboard.press(key);
    },
  },
  menu: {
    scenario: "three",
    act: async (page) => {
      await page.locator("[data-workspace]").first().hover();
      await page.getByRole("button", { name: "More for api-server" }).click();
    },
  },
  delete: {
    scenario: "three",
    act: async (page) => {
      await page.locator("[data-workspace]").first().focus();
      await page.keyboard.press("Delete");
      await visible(page, "Delete api-server?");
    },
  },
  create: {
    scenario: "three",
    act: async (page) => {
      await page.getByRole("button", { name: "Create workspace" }).first().click();
      await page.getByLabel("What to make a workspace from").fill("acme/billing");
    },
  },
  "create-details": {
    scenario: "three",
    act: async (page) => {
      await page.getByRole("button", { name: "Create workspace" }).first().click();
      await page.getByLabel("What to make a workspace from").fill("https://github.com/acme/web/tree/main");
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByLabel("Published ports").fill("99999");
    },
  },
  creating: { scenario: "states", hash: "#/workspace/bbbbbbbbbbbbbbb1" },
  failed: { scenario: "states", hash: "#/workspace/bbbbbbbbbbbbbbb2" },
  lost: { scenario: "states", hash: "#/workspace/bbbbbbbbbbbbbbb4" },
  broken: { scenario: "broken" },
  "engine-gone": { scenario: "enginegone" },
  loading: { scenario: "slow", wait: 600 },
  "signed-out": { scenario: "wrong" },
  import: {
    scenario: "three",
    act: async (page) => {
      await page.keyboard.press("F1");
      await page.keyboard.type("import");
      await page.keyboard.press("Enter");
      await visible(page, "keycloak");
    },
  },
  palette: { scenario: "three", act: (page) => page.keyboard.press("Control+Shift+P") },
  switcher: { scenario: "three", act: (page) => page.keyboard.press("Control+Shift+Y") },
  inspect: {
    scenario: "three",
    act: async (page) => {
      await page.locator("[data-workspace]").first().click({ button: "right" });
      await page.getByRole("menuitem", { name: "Timeline" }).click();
    },
  },
  logs: {
    scenario: "three",
    act: async (page) => {
      await page.locator("[data-workspace]").first().click({ button: "right" });
      await page.getByRole("menuitem", { name: "Container output" }).click();
    },
  },
  health: {
    scenario: "three",
    act: (page) => page.getByRole("button", { name: /Host and engines/ }).click(),
  },
  settings: { scenario: "three", hash: "#/settings/general" },
  engines: { scenario: "noengine", hash: "#/settings/engines" },
  "cluster-engines": { scenario: "clusters", hash: "#/settings/engines" },
  "cluster-settings": {
    scenario: "clusters",
    hash: "#/settings/engines",
    act: async (page) => {
      const lab = page.getByRole("region", { name: "lab" });
      await lab.getByRole("button", { name: "Cluster settings" }).click();
      await lab.getByRole("button", { name: "Advanced" }).click();
      await lab.getByLabel("Pod template").fill("[]");
      await lab.getByLabel("Pod template").scrollIntoViewIfNeeded();
    },
  },
  "cluster-settings-top": {
    scenario: "clusters",
    hash: "#/settings/engines",
    act: async (page) => {
      const lab = page.getByRole("region", { name: "lab" });
      await lab.getByRole("button", { name: "Cluster settings" }).click();
      await lab.getByLabel("Namespace").fill("Team A");
      await lab.getByLabel("Pull secret").scrollIntoViewIfNeeded();
    },
  },
  "cluster-switched-on": {
    scenario: "clusters",
    hash: "#/settings/engines",
    act: async (page) => {
      await page.getByRole("region", { name: "minikube" }).getByRole("switch").click();
      await visible(page, "The cluster does not answer.");
    },
  },
  "cluster-dashboard": { scenario: "clusters" },
  "cluster-table": { scenario: "clusters", act: showTable },
  "cluster-starting": { scenario: "clusters", hash: "#/workspace/eeeeeeeeeeeeeee2" },
  "cluster-creating": { scenario: "clusters", hash: "#/workspace/eeeeeeeeeeeeeee3" },
  "cluster-off-workspace": { scenario: "clusters", hash: "#/workspace/eeeeeeeeeeeeeee5" },
  "cluster-only": { scenario: "clusteronly" },
  "cluster-health": {
    scenario: "clusters",
    act: (page) => page.getByRole("button", { name: /Host and engines/ }).click(),
  },
  "cluster-stop": {
    scenario: "clusters",
    act: async (page) => {
      await page.getByRole("button", { name: "Stop checkout" }).click();
      await visible(page, "Only the volume stays");
    },
  },
  "cluster-create": {
    scenario: "clusters",
    act: async (page) => {
      await page.getByRole("button", { name: "Create workspace" }).first().click();
      await page.getByLabel("What to make a workspace from").fill("/home/maria/notes");
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByRole("combobox", { name: "Engine" }).click();
      await page.getByRole("option", { name: "lab" }).click();
    },
  },
  "models-none": { scenario: "three", hash: "#/settings/models" },
  models: {
    scenario: "models",
    hash: "#/settings/models",
    act: (page) =>
      page.getByRole("region", { name: "workstation" }).getByRole("button", { name: "2 models" }).click(),
  },
  "models-many": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      const server = page.getByRole("region", { name: "openai" });
      await server.getByRole("button", { name: "60 models" }).click();
      await server.scrollIntoViewIfNeeded();
    },
  },
  "models-below": {
    scenario: "models",
    hash: "#/settings/models",
    act: (page) => page.getByLabel("Between two pieces of an answer").scrollIntoViewIfNeeded(),
  },
  "models-add": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      await page.getByRole("button", { name: "Add a server" }).click();
      const form = page.getByRole("form", { name: "Add a server" });
      await form.getByRole("button", { name: "OpenAI", exact: true }).click();
      await form.getByLabel("Address").fill("http://gateway.example");
      await form.getByLabel("Key").fill("secret");
    },
  },
  "models-add-wrong": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      await page.getByRole("button", { name: "Add a server" }).click();
      const form = page.getByRole("form", { name: "Add a server" });
      await form.getByLabel("Name").fill("ollama");
      await form.getByLabel("Address").fill("localhost:8080");
      await form.getByLabel("Most requests at once").fill("0");
      await form.getByRole("button", { name: "Add server" }).click();
    },
  },
  "models-edit": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      const server = page.getByRole("region", { name: "openai" });
      await server.getByRole("button", { name: "Edit server" }).click();
      await server.getByLabel("Key", { exact: true }).fill("secret");
      await server.getByRole("button", { name: "Save" }).click();
      await visible(page, "the keyring is locked");
      await server.scrollIntoViewIfNeeded();
    },
  },
  "models-remove": {
    scenario: "models",
    hash: "#/settings/models",
    act: (page) =>
      page.getByRole("region", { name: "openai" }).getByRole("button", { name: "Remove server" }).click(),
  },
  "models-undo": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      await page
        .getByRole("region", { name: "workstation" })
        .getByRole("button", { name: "Remove server" })
        .click();
      await visible(page, "workstation was removed.");
    },
  },
  "models-name": {
    scenario: "models",
    hash: "#/settings/models",
    act: async (page) => {
      await page.getByRole("listitem", { name: "fast" }).getByRole("button", { name: "Edit name" }).click();
      const form = page.getByRole("form", { name: "Edit fast" });
      await form.getByLabel("Name").fill("embeddings");
      await form.getByRole("button", { name: "Add a model" }).click();
      await form.getByRole("button", { name: "Save" }).click();
      await form.getByRole("button", { name: "Save" }).scrollIntoViewIfNeeded();
    },
  },
  "models-broken": { scenario: "modelsbroken", hash: "#/settings/models" },
  ...LOCAL_SCREENS,
  keys: { scenario: "three", hash: "#/settings/keys" },
  json: { scenario: "three", hash: "#/settings/json", wait: 3_000 },
};

const { url, server } = await startHost();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
let findings = 0;

for (const [name, screen] of Object.entries(SCREENS)) {
  if (only.length > 0 && !only.includes(name)) continue;
  for (const theme of themes) {
    for (const [size, [width, height]] of Object.entries(SIZES).filter(([key]) => sizes.includes(key))) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: theme,
        reducedMotion: "reduce",
        hasTouch: size === "phone",
        isMobile: size === "phone",
      });
      const page = await context.newPage();
      const where = `${name} ${theme} ${size}`;
      page.on("console", (message) => {
        if (message.type() === "error" && !message.text().includes("401"))
          console.log(`${where}: ${message.text()}`);
      });
      page.on("pageerror", (error) => console.log(`${where}: ${error.stack}`));
      try {
        await page.goto(`${url}/#token=${screen.scenario}`);
        await page.waitForTimeout(screen.wait ?? 500);
        if (screen.hash) {
          await page.evaluate((hash) => {
            document.location.hash = hash;
          }, screen.hash);
          await page.waitForTimeout(screen.wait ?? 400);
        }
        await screen.act?.(page);
        await page.waitForTimeout(350);
        await page.screenshot({ path: join(out, `${name}-${theme}-${size}.png`) });
        const { violations } = await new AxeBuilder({ page }).analyze();
        for (const { id, impact, help, nodes } of violations) {
          findings += 1;
          console.log(
            `${where}: axe ${impact} ${id}: ${help}\n    ${nodes
              .slice(0, 3)
              .map((node) => node.target.join(" ") + " — " + node.failureSummary.split("\n")[1])
              .join("\n    ")}`,
          );
        }
      } catch (error) {
        findings += 1;
        console.log(`${where}: ${error.message.split("\n").slice(0, 3).join(" ")}`);
      }
      await context.close();
    }
  }
}

await browser.close();
server.closeAllConnections();
server.close();
process.exitCode = findings > 0 ? 1 : 0;
