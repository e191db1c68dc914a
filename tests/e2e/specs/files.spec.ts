import { type Locator, type Page } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { insideWorkspace } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { expect, test, workspaceOf } from "../support/test.ts";

/** Drops files of this machine on an element, as a file manager does. */
async function dropFromOutside(page: Page, target: Locator, files: string[]): Promise<void> {
  const box = await target.boundingBox();
  if (!box) throw new Error("the target of the drop is not in view");
  const session = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, ...at, data });
  }
  await session.detach();
}

/** A folder on this machine that is removed after `use`. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "aicockpit-upload-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("files are made, renamed, moved, deleted and brought back", async ({ page, host, cockpit }) => {
  await cockpit.create("files", { name: "files" });
  const id = workspaceOf(host);
  const inside = (script: string) => insideWorkspace(id, "sh", "-c", script);
  const row = (name: string | RegExp) => cockpit.files.getByRole("treeitem", { name });
  const list = () =>
    inside("cd /workspace && find . -mindepth 1 -not -path './.aicockpit*' | sort").split("\n");
  await look(page, "files-empty");

  await test.step("by the button of the empty folder, and by the keyboard", async () => {
    await cockpit.explorer.getByRole("button", { name: "New file" }).last().click();
    await page.getByRole("textbox", { name: "Name of the new file" }).fill("src/main.py");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("tab", { name: "main.py" })).toBeVisible();
    await expect(row("main.py")).toBeVisible();
    await cockpit.explorer.getByRole("button", { name: "New folder" }).click();
    await page.getByRole("textbox", { name: "Name of the new folder" }).fill("docs");
    await page.keyboard.press("Enter");
    await expect(row("docs")).toBeVisible();
    expect(list()).toEqual(["./src", "./src/docs", "./src/main.py"]);
  });

  await test.step("a name that is taken is refused where it is typed", async () => {
    await row("main.py").click();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "New name of main.py" }).fill("docs");
    await page.keyboard.press("Enter");
    await expect(cockpit.explorer.getByRole("alert")).toContainText("docs");
    await look(page, "files-name-taken");
    await page.keyboard.press("Escape");
  });

  await test.step("renamed, with its tab", async () => {
    await row("main.py").click();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "New name of main.py" }).fill("app.py");
    await page.keyboard.press("Enter");
    await expect(row("app.py")).toBeVisible();
    await expect(page.getByRole("tab", { name: "app.py" })).toBeVisible();
    expect(list()).toContain("./src/app.py");
  });

  await test.step("moved by drag and drop, and taken back by Ctrl+Z", async () => {
    await row("app.py").dragTo(row("docs"));
    await expect(async () => expect(list()).toContain("./src/docs/app.py")).toPass();
    await cockpit.files.focus();
    await page.keyboard.press("Control+z");
    await expect(async () => expect(list()).toContain("./src/app.py")).toPass();
  });

  await test.step("copied and pasted", async () => {
    await row("app.py").click();
    await page.keyboard.press("Control+c");
    await page.keyboard.press("Control+v");
    await expect(row("app copy.py")).toBeVisible();
  });

  await test.step("deleted and brought back", async () => {
    await row("src").click();
    await page.keyboard.press("Delete");
    await expect(row("src")).toHaveCount(0);
    await expect(page.getByRole("region", { name: "Messages" }).getByText("Deleted src.")).toBeVisible();
    await look(page, "files-deleted");
    expect(list().filter((path) => path.startsWith("./src"))).toEqual([]);
    await page.getByRole("region", { name: "Messages" }).getByRole("button", { name: "Undo" }).last().click();
    await expect(row("src")).toBeVisible();
    expect(list()).toContain("./src/app.py");
  });
});

test("files go in by button and drop, and come out as file and archive", async ({ page, host, cockpit }) => {
  await cockpit.create("transfers", { name: "transfers" });
  const id = workspaceOf(host);
  const inside = (script: string) => insideWorkspace(id, "sh", "-c", script);
  const row = (name: string | RegExp) => cockpit.files.getByRole("treeitem", { name });

  await withFolder(async (folder) => {
    const bytes = Buffer.alloc(3_000_000, "The quick brown fox. ");
    writeFileSync(join(folder, "report.txt"), bytes);
    mkdirSync(join(folder, "site/assets/empty"), { recursive: true });
    writeFileSync(join(folder, "site/index.html"), "<h1>Hello</h1>\n");
    writeFileSync(join(folder, "site/assets/a b ü.css"), "body {}\n");

    await test.step("by the button", async () => {
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"),
        cockpit.explorer.getByRole("button", { name: "Upload files" }).click(),
      ]);
      await chooser.setFiles([join(folder, "report.txt")]);
      await expect(row("report.txt")).toBeVisible();
      expect(inside("sha256sum < /workspace/report.txt")).toBe(
        execFileSync("sha256sum", { input: bytes, encoding: "utf8" }).trim(),
      );
    });

    await test.step("a folder by drop", async () => {
      await dropFromOutside(page, cockpit.files, [join(folder, "site")]);
      await expect(row("site")).toBeVisible();
      await expect(async () =>
        expect(inside("cd /workspace/site && find . | sort").split("\n")).toEqual([
          ".",
          "./assets",
          "./assets/a b ü.css",
          "./assets/empty",
          "./index.html",
        ]),
      ).toPass();
    });

    await test.step("asks before it replaces", async () => {
      writeFileSync(join(folder, "report.txt"), "new");
      await dropFromOutside(page, row("report.txt"), [join(folder, "report.txt")]);
      const dialog = page.getByRole("dialog", { name: "Replace report.txt?" });
      await expect(dialog).toBeVisible();
      await look(page, "files-replace");
      await dialog.getByRole("button", { name: "Cancel" }).click();
      expect(inside("wc -c < /workspace/report.txt").trim()).toBe("3000000");
      await dropFromOutside(page, row("report.txt"), [join(folder, "report.txt")]);
      await dialog.getByRole("button", { name: "Replace", exact: true }).click();
      await expect(async () => expect(inside("cat /workspace/report.txt")).toBe("new")).toPass();
    });

    await test.step("a file comes out", async () => {
      await row("report.txt").click({ button: "right" });
      await look(page, "files-menu");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("menuitem", { name: "Download" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("report.txt");
      expect(readFileSync(await download.path(), "utf8")).toBe("new");
    });

    await test.step("a folder comes out as an archive", async () => {
      // Browsers without a save dialog for pages get the archive as a download; a test cannot answer the dialog.
      await page.evaluate(() => Reflect.deleteProperty(window, "showSaveFilePicker"));
      await row("site").click({ button: "right" });
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("menuitem", { name: "Download as tar archive" }).click(),
      ]);
      const names = execFileSync("tar", ["--list", "--file", await download.path()], { encoding: "utf8" });
      expect(names).toContain("index.html");
      expect(names).toContain("assets/empty");
    });
  });
});
