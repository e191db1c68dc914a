import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cockpit } from "../support/cockpit.ts";
import { docker, objectsOf, removeByForce, workspacesOf } from "../support/docker.ts";
import { Host, WITHOUT_SOCKETS } from "../support/host.ts";
import { look } from "../support/look.ts";
import { expect, test, workspaceOf } from "../support/test.ts";

test("a creation that fails says why and leaves nothing once it is deleted", async ({
  page,
  host,
  cockpit,
}) => {
  await test.step("an image that does not exist", async () => {
    await cockpit.begin("sketch", { name: "no-image", image: "aicockpit-e2e/no-such-image:nowhere" });
    const alert = page.getByRole("alert").filter({ hasText: "no-image could not be created" });
    await expect(alert).toContainText("aicockpit-e2e/no-such-image:nowhere", { timeout: 60_000 });
    await look(page, "failed-image");
    await cockpit.home();
    await expect(cockpit.card("no-image")).toContainText("Failed");
  });

  await test.step("a name that is taken", async () => {
    await cockpit.begin("sketch", { name: "no-image" });
    const refused = page.getByRole("alert").filter({ hasText: "The workspace was not created" });
    await expect(refused).toContainText("no-image");
    await look(page, "failed-name-taken");
    await page.keyboard.press("Escape");
  });

  await test.step("a Git address where nothing answers", async () => {
    await cockpit.begin("http://127.0.0.1:9/none.git", { name: "no-git" });
    const alert = page.getByRole("alert").filter({ hasText: "no-git could not be created" });
    await expect(alert).toBeVisible({ timeout: 60_000 });
    await look(page, "failed-git");
    await page.getByRole("button", { name: "Try again from here" }).click();
    await expect(alert).toBeVisible({ timeout: 60_000 });
    await cockpit.home();
    await look(page, "failed-dashboard");
  });

  const made = workspacesOf(host);
  await cockpit.delete("no-git");
  await cockpit.delete("no-image");
  await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
  expect(made.flatMap(objectsOf)).toEqual([]);
});

test("a workspace is stopped, started, paused, resumed, and lost behind our back", async ({
  page,
  host,
  cockpit,
}) => {
  await cockpit.create("states", { name: "states" });
  const container = `aicockpit-${workspaceOf(host)}`;
  const bar = page.getByRole("status").filter({ visible: true });
  await cockpit.run("echo kept > note.txt");
  await cockpit.openFile("note.txt");
  await expect(cockpit.editor).toContainText("kept");

  await test.step("paused by something else, and resumed here", async () => {
    docker("pause", container);
    await expect(bar.filter({ hasText: "The workspace is paused" })).toBeVisible();
    await look(page, "paused");
    await page.getByRole("button", { name: "Resume" }).click();
    await expect(bar.filter({ hasText: "The workspace is paused" })).toHaveCount(0);
    await cockpit.run("echo back-$((20 + 3))");
    await cockpit.sees("back-23");
  });

  await test.step("stopped and started", async () => {
    docker("stop", "--timeout", "1", container);
    await expect(bar.filter({ hasText: "The workspace does not run" })).toBeVisible();
    await look(page, "stopped");
    await cockpit.home();
    await expect(cockpit.card("states")).toContainText("Stopped");
    await look(page, "stopped-dashboard");
    await cockpit.card("states").getByRole("button", { name: "Open" }).click();
    await page.getByRole("button", { name: "Start" }).filter({ visible: true }).click();
    await expect(bar.filter({ hasText: "The workspace does not run" })).toHaveCount(0, { timeout: 60_000 });
    await cockpit.prompt();
    await expect(cockpit.editor).toContainText("kept");
  });

  await test.step("its container removed", async () => {
    docker("rm", "--force", container);
    await expect(page.getByRole("heading", { name: "The container of states was removed" })).toBeVisible();
    await look(page, "lost");
    await cockpit.home();
    await expect(cockpit.card("states")).toContainText("Container removed");
    await look(page, "lost-dashboard");
    await cockpit.card("states").getByRole("button", { name: "Show" }).click();
    await page.getByRole("button", { name: "Recreate container" }).click();
    await cockpit.prompt();
    await expect(cockpit.editor).toContainText("kept");
    await cockpit.home();
    await cockpit.delete("states");
    await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
    expect(objectsOf(container.slice("aicockpit-".length))).toEqual([]);
  });
});

/** The engine's socket under another path, which can be taken away and put back. */
class SocketProxy {
  readonly #folder = mkdtempSync(join(tmpdir(), "aicockpit-engine-"));
  readonly path = join(this.#folder, "docker.sock");
  #open = new Set<Socket>();
  #server = createServer((client) => {
    const engine = connect("/var/run/docker.sock");
    for (const socket of [client, engine]) {
      this.#open.add(socket);
      socket.on("close", () => this.#open.delete(socket));
      socket.on("error", () => {
        client.destroy();
        engine.destroy();
      });
    }
    // Otherwise the engine would wait for ever to be rid of an answer that was let go of half-way.
    client.on("close", () => engine.destroy());
    client.pipe(engine).pipe(client);
  });

  async listen(): Promise<void> {
    this.#server.listen(this.path);
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test("an engine that is missing is explained, and work goes on once it is there", async ({ page }) => {
  const engine = new SocketProxy();
  const host = new Host({ DOCKER_HOST: `unix://${engine.path}` }, WITHOUT_SOCKETS);
  const cockpit = new Cockpit(page);
  try {
    await page.goto(await host.start());
    await expect(page.getByRole("heading", { name: "An engine is needed to run it" })).toBeVisible();
    await look(page, "engine-missing");

    await engine.listen();
    await expect(page.getByRole("heading", { name: "An engine is needed to run it" })).toHaveCount(0, {
      timeout: 60_000,
    });
    await cockpit.create("steady", { name: "steady" });

    await engine.close();
    const bar = page.getByRole("status").filter({ hasText: "Engine unreachable" }).first();
    await expect(bar).toBeVisible({ timeout: 60_000 });
    await look(page, "engine-gone");
    await cockpit.home();
    await expect(cockpit.card("steady")).toContainText("Engine unreachable");
    await look(page, "engine-gone-dashboard");
    await cockpit.card("steady").getByRole("button", { name: "Open" }).click();

    await engine.listen();
    await expect(bar).toHaveCount(0, { timeout: 60_000 });
    await cockpit.run("echo again-$((30 + 1))");
    await cockpit.sees("again-31");
  } finally {
    for (const id of workspacesOf(host)) removeByForce(id);
    await host.dispose();
    await engine.close().catch(() => {});
    engine.dispose();
  }
});
