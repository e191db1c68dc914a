import { expect, test } from "@playwright/test";
import { rmSync } from "node:fs";
import { Cockpit } from "../support/cockpit.ts";
import { insideWorkspace, objectsOf, removeByForce, workspacesOf } from "../support/docker.ts";
import { Host } from "../support/host.ts";
import { makeRepository } from "../support/repository.ts";

test("a repository becomes a workspace that is worked in, survives a crash of the host, and leaves nothing", async ({
  page,
  context,
}) => {
  test.setTimeout(30 * 60_000);
  const host = new Host();
  const repository = makeRepository();
  const ours = () => workspacesOf(host)[0] ?? "";
  const cockpit = new Cockpit(page);

  try {
    await test.step("create from a local Git repository", async () => {
      await page.goto(await host.start());
      await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible();
      await cockpit.create(repository, { readAs: "Git repository", name: "station" });
      await expect(cockpit.files.getByRole("treeitem", { name: /README\.md/ })).toBeVisible();
      expect(ours(), "one workspace's container exists").not.toBe("");
    });

    await test.step("edit and save", async () => {
      await cockpit.openFile("main.c");
      await expect(cockpit.editor).toContainText("Prints one reading");
      await cockpit.editor.click();
      await page.keyboard.press("Control+Home");
      await page.keyboard.type("// checked by hand\n");
      await page.keyboard.press("Control+S");
      await expect(async () =>
        expect(insideWorkspace(ours(), "head", "-1", "/workspace/src/main.c")).toBe("// checked by hand"),
      ).toPass();
    });

    await test.step("search in files", async () => {
      await page.keyboard.press("Control+Shift+F");
      await page.getByRole("textbox", { name: "Search for" }).fill("calibration constant");
      const results = page.getByRole("tree", { name: "Search results" });
      await results.getByRole("treeitem", { name: /calibration constant/ }).click();
      await expect(page.getByRole("tab", { name: /part3\.c/ })).toBeVisible();
      await expect(cockpit.editor).toContainText("of the barometer");
      await page.getByRole("button", { name: "Explorer" }).click();
    });

    await test.step("build and run in the terminal", async () => {
      await cockpit.run("make && ./station");
      await cockpit.sees("reading: 21");
    });

    await test.step("open the page of a server inside, by its forwarded port", async () => {
      await cockpit.run("python3 -m http.server --directory site 8123 >/dev/null 2>&1 &");
      await page.getByRole("tab", { name: /^Ports/ }).click();
      const row = page.getByRole("list", { name: "Ports" }).getByRole("listitem").filter({ hasText: "8123" });
      await expect(row).toBeVisible({ timeout: 30_000 });
      const [opened] = await Promise.all([
        context.waitForEvent("page"),
        row.getByRole("button", { name: "Open" }).click(),
      ]);
      await expect(opened.getByRole("heading", { name: "Weather station page" })).toBeVisible();
      await opened.close();
      await page
        .getByRole("tab", { name: /Terminal|bash|sh/ })
        .first()
        .click();
    });

    await test.step("kill the host while text is unsaved, and come back to all of it", async () => {
      await cockpit.openFile("Makefile");
      await expect(cockpit.editor).toContainText("station: src/main.c");
      await cockpit.editor.click();
      await page.keyboard.press("Control+End");
      // The autosave's delay begins anew with each key: the host dies before it is over.
      await page.keyboard.type("# never saved", { delay: 30 });
      await page.waitForTimeout(500);
      await host.kill();
      expect(insideWorkspace(ours(), "cat", "/workspace/Makefile")).not.toContain("never saved");

      await page.goto("about:blank");
      await page.goto(await host.start());
      const tab = page.getByRole("navigation", { name: "Open workspaces" }).getByText("station");
      const card = page.getByRole("gridcell", { name: /^station/ });
      await expect(tab.or(card).first()).toBeVisible();
      if (!(await cockpit.files.isVisible())) await card.getByRole("button", { name: "Open" }).click();
      await expect(cockpit.editor).toContainText("# never saved");
      await cockpit.sees("reading: 21");
      await cockpit.run("echo still-$((40 + 2))");
      await cockpit.sees("still-42");
    });

    await test.step("delete it, with nothing left over", async () => {
      const id = ours();
      await page
        .getByRole("navigation", { name: "Open workspaces" })
        .getByRole("button", { name: "Workspaces" })
        .click();
      await page.getByRole("gridcell", { name: /^station/ }).focus();
      await page.keyboard.press("Delete");
      const dialog = page.getByRole("alertdialog").or(page.getByRole("dialog"));
      await dialog.getByRole("button", { name: /^Delete/ }).click();
      await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible({
        timeout: 60_000,
      });
      await expect(() => expect(objectsOf(id)).toEqual([])).toPass();
    });
  } finally {
    const left = ours();
    if (left !== "") removeByForce(left);
    await host.dispose();
    rmSync(repository, { recursive: true, force: true });
  }
});
