// Screens of models on this machine, of usage, and of what is told while offline.
const LOCAL = "#/settings/models/local";
const card = (page, name) => page.getByRole("region", { name, exact: true });

const add = async (page, name) => {
  await page.getByRole("button", { name: "Add model" }).click();
  await page.getByRole("combobox", { name: "Find a model" }).waitFor();
  if (name === undefined) return;
  await page.getByRole("option").filter({ hasText: name }).first().click();
  await page.getByRole("form", { name: "New model" }).waitFor();
};

const create = async (page, text) => {
  await page.getByRole("button", { name: "Create workspace" }).first().click();
  await page.getByLabel("What to make a workspace from").fill(text);
};

export const LOCAL_SCREENS = {
  local: { scenario: "local", hash: LOCAL },
  "local-below": {
    scenario: "local",
    hash: LOCAL,
    act: (page) => page.getByRole("switch", { name: "Load more than fits" }).scrollIntoViewIfNeeded(),
  },
  "local-updates": {
    scenario: "localupdates",
    hash: LOCAL,
    act: (page) => page.getByRole("switch", { name: "Load more than fits" }).scrollIntoViewIfNeeded(),
  },
  "local-by-hand": {
    scenario: "local",
    hash: LOCAL,
    act: async (page) => {
      await page.getByRole("button", { name: "How to update it" }).click();
      await page.getByRole("switch", { name: "Load more than fits" }).scrollIntoViewIfNeeded();
    },
  },
  "local-update-asked": {
    scenario: "local",
    hash: LOCAL,
    act: (page) => page.getByRole("button", { name: "Update llama-server" }).click(),
  },
  "local-offline": {
    scenario: "localoffline",
    hash: LOCAL,
    act: (page) => page.getByRole("switch", { name: "Load more than fits" }).scrollIntoViewIfNeeded(),
  },
  "local-none": { scenario: "localnone", hash: LOCAL },
  "local-none-below": {
    scenario: "localnone",
    hash: LOCAL,
    act: (page) => page.getByRole("switch", { name: "Load more than fits" }).scrollIntoViewIfNeeded(),
  },
  "local-found": { scenario: "local", hash: LOCAL, act: (page) => add(page) },
  "local-template": {
    scenario: "local",
    hash: LOCAL,
    act: async (page) => {
      await add(page);
      await page.getByText("No chat template").hover();
      await page.getByRole("tooltip").waitFor();
    },
  },
  "local-program": { scenario: "local", hash: LOCAL, act: (page) => add(page, "Qwen3 4B") },
  "local-container": { scenario: "localnoprogram", hash: LOCAL, act: (page) => add(page, "Qwen3 4B") },
  "local-container-image": {
    scenario: "localnoprogram",
    hash: LOCAL,
    act: async (page) => {
      await add(page, "Qwen3 4B");
      await page.getByRole("combobox", { name: "Image" }).click();
    },
  },
  "local-container-offline": {
    scenario: "localoffline",
    hash: LOCAL,
    act: async (page) => {
      await card(page, "smollm2").getByRole("button", { name: "Edit model" }).click();
      await page.getByRole("combobox", { name: "Image" }).fill("ghcr.io/ggml-org/llama.cpp:server");
      await page.keyboard.press("Escape");
    },
  },
  "local-no-program": {
    scenario: "localnoprogram",
    hash: LOCAL,
    act: async (page) => {
      await add(page, "SmolLM2");
      await page.getByRole("combobox", { name: "Runs as" }).click();
      await page.getByRole("option", { name: /Program/ }).click();
    },
  },
  "local-remove": {
    scenario: "local",
    hash: LOCAL,
    act: (page) => card(page, "smollm2").getByRole("button", { name: "Remove model" }).click(),
  },
  "local-removed": {
    scenario: "local",
    hash: LOCAL,
    act: async (page) => {
      await card(page, "smollm2").getByRole("button", { name: "Remove model" }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByRole("button", { name: "Remove model" }).focus();
      await page.keyboard.press("Enter");
      await page.getByText("smollm2 was removed.").waitFor();
    },
  },
  limits: { scenario: "local", hash: "#/settings/models/limits" },
  "other-programs": { scenario: "local", hash: "#/settings/models/programs" },
  usage: { scenario: "local", hash: "#/settings/usage", wait: 1_500 },
  "usage-below": {
    scenario: "local",
    hash: "#/settings/usage",
    wait: 1_500,
    act: (page) => page.getByRole("table", { name: "Requests" }).scrollIntoViewIfNeeded(),
  },
  "usage-none": { scenario: "three", hash: "#/settings/usage" },
  "offline-models": { scenario: "offline", hash: "#/settings/models" },
  "offline-clone": { scenario: "offline", act: (page) => create(page, "https://github.com/acme/billing") },
  "offline-image": { scenario: "offline", act: (page) => create(page, "postgres:18") },
  "offline-details": {
    scenario: "offline",
    act: async (page) => {
      await create(page, "sketch");
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByRole("combobox", { name: "Image" }).click();
    },
  },
  "offline-meaning": {
    scenario: "offline",
    act: (page) => page.getByRole("button", { name: "Offline" }).click(),
  },
};
