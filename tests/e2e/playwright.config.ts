import { defineConfig } from "@playwright/test";

// One worker: the tests share two cores with the engine they drive.
export default defineConfig({
  testDir: "specs",
  outputDir: "../artifacts/results",
  workers: 1,
  retries: 0,
  timeout: 180_000,
  expect: { timeout: 15_000, toPass: { timeout: 15_000 } },
  reporter: [["list", { printSteps: true }]],
  use: {
    viewport: { width: 1440, height: 900 },
    // A control that is not there fails its step, not the whole test by its time.
    actionTimeout: 20_000,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    permissions: ["clipboard-read", "clipboard-write"],
    launchOptions: {
      executablePath: process.env.AICOCKPIT_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        // Terminals then draw into the DOM, where a test can read them.
        "--disable-3d-apis",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
