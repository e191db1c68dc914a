// The real desktop window on a real engine, as a person would use it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe } from "node:test";
import { Application, programs } from "./application.mjs";
import { engineFound, picture, removeAll, shown } from "./support.mjs";
import { Key, until } from "./webdriver.mjs";

const FIRST_WORKSPACE = 600_000;

/** What the terminal in front shows. WebKitGTK draws it as elements, so it can be read. */
const screenText = (session) =>
  session.run(
    "return [...document.querySelectorAll('.xterm-rows')].map((rows) => rows.innerText).join('\\n').replaceAll('\\u00a0', ' ')",
  );

/** The field of a new workspace. The dashboard itself has one only while there is no workspace on the engine. */
async function openCreation(session) {
  await session.click(await session.role("button", /^Create workspace/));
  return session.find("//*[@role='dialog']//input[@aria-label='What to make a workspace from']");
}

describe("the window", () => {
  const application = new Application();
  let session;
  let workspace;

  before(async () => {
    session = await application.start();
  });

  after(async () => {
    await application.dispose();
    if (workspace) removeAll(workspace);
  });

  shown(application, "opens on the dashboard with the engine found", async () => {
    await engineFound(session);
    await picture(session, "dashboard");
  });

  shown(application, "keeps the page to itself: no plugin answers it, no other page loads", async () => {
    const refused = await session.run(
      "return window.__TAURI_INTERNALS__.invoke('plugin:opener|open_url', { url: 'http://localhost' }).then(() => 'allowed', (error) => String(error))",
    );
    assert.match(refused, /not allowed|not found/i);
    await session.run("location.href = 'file:///etc/passwd'");
    await engineFound(session);
    assert.equal(await session.run("return location.protocol"), "tauri:");
    const evaluated = await session.run(
      "try { return String(new Function('return 1')()) } catch { return 'blocked' }",
    );
    assert.equal(evaluated, "blocked", "the content security policy allows no code made of text");
  });

  shown(application, "makes a workspace whose terminal answers", async () => {
    await session.type(await openCreation(session), "window-test");
    await session.press(Key.Enter);
    workspace = await until(
      () =>
        session
          .run("return /^#\\/workspace\\/([a-z0-9]+)$/.exec(location.hash)?.[1] ?? ''")
          .then((id) => id || undefined),
      "the workspace's own page",
    );
    const prompt = await until(
      async () => /\$\s*$/.test((await screenText(session)).trimEnd() + " ") && (await screenText(session)),
      "a prompt",
      FIRST_WORKSPACE,
    );
    assert.match(prompt, /\/workspace/);
    await session.click(await session.find("//*[contains(@class, 'xterm-screen')]"));
    await session.keys("echo $((6*7))-from-the-window");
    await session.press(Key.Enter);
    await until(async () => (await screenText(session)).includes("42-from-the-window"), "the echo");
    await picture(session, "terminal");
  });

  shown(application, "brings a file to the folder of downloads, beside what is there", async () => {
    const downloads = join(application.home, "downloads");
    mkdirSync(downloads);
    writeFileSync(join(downloads, "brought.bin"), "mine");
    // More than one piece of every kind on the way.
    await session.keys("seq 1 500000 > brought.bin");
    await session.press(Key.Enter);
    await session.find("//*[@role='treeitem'][contains(normalize-space(.), 'brought.bin')]");
    await session.run(
      `[...document.querySelectorAll("[role='treeitem']")].find((row) => row.innerText.includes("brought.bin"))
        .dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 80, clientY: 200 }))`,
    );
    await session.click(await session.role("menuitem", "Download"));
    const file = join(downloads, "brought (1).bin");
    const whole = Array.from({ length: 500_000 }, (_, index) => `${index + 1}\n`).join("");
    await until(() => existsSync(file) && readFileSync(file, "utf8") === whole, "the whole file");
    assert.deepEqual(readdirSync(downloads).sort(), ["brought (1).bin", "brought.bin"]);
    assert.equal(readFileSync(join(downloads, "brought.bin"), "utf8"), "mine");
    await session.find("//*[@role='region'][@aria-label='Messages']//*[contains(., 'brought (1).bin')]");
    await picture(session, "downloaded");
  });

  shown(application, "comes back after it was killed, with the terminal as it was", async () => {
    await application.kill();
    session = await application.start();
    await engineFound(session);
    // The tabs come back with the window.
    await session.click(await session.find("//nav//button[contains(normalize-space(.), 'window-test')]"));
    await until(
      async () => (await screenText(session)).includes("42-from-the-window"),
      "the terminal's earlier output",
      60_000,
    );
    await picture(session, "terminal-again");
  });

  shown(application, "a second start of the program ends at once and leaves the first alone", async () => {
    const second = spawn(programs.desktop, [], { env: application.environment, stdio: "ignore" });
    const [code] = await once(second, "exit");
    assert.equal(code, 0);
    assert.equal(await session.run("return location.protocol"), "tauri:");
  });
});

describe("the window beside another process that owns the data", () => {
  const application = new Application();
  let host;

  after(async () => {
    await application.dispose();
    if (host && host.exitCode === null && host.signalCode === null) {
      const ended = once(host, "exit");
      host.kill("SIGTERM");
      await ended;
    }
  });

  shown(application, "works through that process", async () => {
    host = spawn(programs.host, ["serve", "--listen", "127.0.0.1:0"], {
      env: application.environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: host.stdout });
    await new Promise((ready, failed) => {
      lines.on("line", (line) => line.includes("#token=") && ready());
      host.once("exit", (code) => failed(new Error(`aicockpit serve ended with ${code}`)));
    });
    const session = await application.start();
    await engineFound(session);
    await openCreation(session);
    // Native dialogs are this window's ability, whoever owns the data.
    await session.role("button", "Choose a folder");
  });

  shown(application, "takes over when that process ends", async () => {
    const ended = once(host, "exit");
    host.kill("SIGKILL");
    await ended;
    const owner = () => readFileSync(join(application.home, "cockpit.lock"), "utf8");
    await until(() => owner() !== String(host.pid), "the window as owner of the data");
    await engineFound(application.session);
  });
});
