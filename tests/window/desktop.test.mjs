// The window as a part of a desktop: tray, close button, notifications.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe } from "node:test";
import { Application, programs } from "./application.mjs";
import { Desktop } from "./desktop.mjs";
import { docker, engineFound, removeAll, shown } from "./support.mjs";
import { until } from "./webdriver.mjs";

const NAME = "desktop-test";
const CREATION = 120_000;

describe("the window in a desktop", () => {
  const application = new Application();
  let desktop;
  let session;
  let workspace;

  /** The command line beside the window, on the same data. */
  const command = (...args) =>
    execFileSync(programs.host, args, { env: application.environment, encoding: "utf8" });
  const size = (page) => page.run("return [window.innerWidth, window.innerHeight]");
  const labels = async () => (await desktop.menu()).map((entry) => entry.label);

  before(async () => {
    desktop = await Desktop.start();
    session = await application.start();
    await engineFound(session);
  });

  after(async () => {
    await application.dispose();
    await desktop?.end();
    if (workspace) removeAll(workspace);
  });

  shown(application, "has a tray icon that says when nothing runs", async () => {
    const menu = await until(async () => {
      const entries = await desktop.menu();
      return entries.length > 0 && entries;
    }, "a tray icon");
    assert.deepEqual(
      menu.map((entry) => entry.label),
      ["Show AiCockpit", "No workspace is running", "Quit (workspaces keep running)"],
    );
    assert.equal(menu[1].enabled, false);
  });

  shown(application, "is hidden by its close button, not ended", async () => {
    assert.equal(await desktop.visible(), 1);
    await desktop.close();
    await until(async () => (await desktop.visible()) === 0, "the window to hide");
    assert.equal(await session.run("return location.protocol"), "tauri:");
  });

  shown(application, "tells of a workspace that is ready while nobody looks, and lists it", async () => {
    const made = command("--json", "create", "--empty", "--image", "debian:bookworm", "--name", NAME);
    workspace = JSON.parse(made).id;
    await until(async () => (await labels()).includes(NAME), "the workspace in the tray's menu", CREATION);
    const told = await until(async () => {
      const all = await desktop.notifications();
      return all.length > 0 && all;
    }, "a notification");
    assert.deepEqual(told, [{ title: NAME, text: "The workspace is ready." }]);
  });

  shown(application, "comes back at that workspace by one click in the tray", async () => {
    assert.equal(await desktop.choose(NAME), true);
    await until(async () => (await desktop.visible()) === 1, "the window");
    await until(
      async () => (await session.run("return location.hash")) === `#/workspace/${workspace}`,
      "the workspace's page",
    );
  });

  shown(application, "tells of a workspace that ends without being asked to", async () => {
    await desktop.close();
    await until(async () => (await desktop.visible()) === 0, "the window to hide");
    docker("kill", `aicockpit-${workspace}`);
    await until(
      async () => (await desktop.notifications()).some((one) => one.text === "The workspace ended."),
      "the notification",
    );
    await until(async () => !(await labels()).includes(NAME), "the tray's menu without it");
  });

  shown(application, "ends by the tray's menu and leaves workspaces alone", async () => {
    command("start", NAME);
    await session.resize(1100, 760);
    await until(async () => (await size(session)).join() === "1100,760", "the window's new size");
    assert.equal(await desktop.choose("Quit (workspaces keep running)"), true);
    await until(
      () =>
        session.run("return 1").then(
          () => false,
          () => true,
        ),
      "the program to end",
    );
    const state = docker("inspect", "--format", "{{.State.Running}}", `aicockpit-${workspace}`);
    assert.equal(state, "true");
  });

  shown(application, "comes back in the size it had", async () => {
    await application.stop().catch(() => undefined);
    session = await application.start();
    await engineFound(session);
    assert.deepEqual(await size(session), [1100, 760]);
  });
});
