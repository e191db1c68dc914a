import { insideWorkspace } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { expect, test, workspaceOf } from "../support/test.ts";

test("a search replaces in several files, and takes it back", async ({ page, host, cockpit }) => {
  await cockpit.create("replace", { name: "replace" });
  const inside = (script: string) => insideWorkspace(workspaceOf(host), "sh", "-c", script);
  inside(`mkdir -p /workspace/src && cd /workspace/src
    for name in a b c; do printf 'let colour_of_%s = 1;\\nprint(colour_of_%s)\\n' $name $name > $name.txt; done`);
  const results = page.getByRole("tree", { name: "Search results" });
  const files = () => inside("cat /workspace/src/*.txt");

  await page.keyboard.press("Control+Shift+f");
  await page.getByRole("textbox", { name: "Search for" }).fill("colour_of_(\\w)");
  await page.getByRole("button", { name: "Use regular expression" }).click();
  await expect(page.getByRole("status").filter({ hasText: "6 matches in 3 files" })).toBeVisible();
  await page.getByRole("button", { name: "Show replace" }).click();
  await page.getByRole("textbox", { name: "Replace with" }).fill("hue_$1");
  await expect(results.getByRole("treeitem", { name: /hue_a/ }).first()).toBeVisible();
  await look(page, "replace-preview");

  await test.step("in one file", async () => {
    const file = results.getByRole("treeitem", { name: /b\.txt/ });
    await file.hover();
    await file.getByRole("button", { name: "Replace all in b.txt" }).click();
    await expect(async () => expect(inside("cat /workspace/src/b.txt")).toContain("print(hue_b)")).toPass();
    expect(files()).toContain("colour_of_a");
  });
  await test.step("in the rest, and back by Undo", async () => {
    await page.getByRole("button", { name: "Replace all", exact: true }).click();
    await expect(async () => expect(files()).not.toContain("colour")).toPass();
    const messages = page.getByRole("region", { name: "Messages" });
    await expect(messages).toContainText("Replaced 4 matches in 2 files.");
    inside("echo changed since >> /workspace/src/c.txt");
    await cockpit.command("Undo the last change of files");
    await expect(messages).toContainText("c.txt");
    await look(page, "replace-undone");
    expect(files()).toContain("colour_of_a");
    expect(inside("cat /workspace/src/c.txt")).toContain("changed since");
  });
  await test.step("a pattern that is none", async () => {
    await page.getByRole("textbox", { name: "Search for" }).fill("(");
    await expect(page.getByRole("region", { name: "Search" }).getByRole("alert")).toBeVisible();
    await look(page, "search-invalid");
  });
});

test("thirty tabs, quick open and the palette", async ({ page, host, cockpit }) => {
  await cockpit.create("tabs", { name: "tabs" });
  insideWorkspace(
    workspaceOf(host),
    "sh",
    "-c",
    "mkdir -p deep/er && cd deep && for n in $(seq -w 1 30); do echo $n > file$n.txt; done; echo x > er/file07.txt",
  );
  for (let number = 1; number <= 30; number += 1) {
    await cockpit.openFile(`file${String(number).padStart(2, "0")}.txt`);
  }
  await expect(page.getByRole("tab", { name: "file30.txt" })).toBeInViewport({ ratio: 0.9 });
  await look(page, "tabs");

  await test.step("a tab that is out of view", async () => {
    await cockpit.openFile("file03.txt");
    await expect(page.getByRole("tab", { name: "file03.txt" })).toBeInViewport({ ratio: 0.9 });
    await expect(cockpit.editor).toContainText("03");
  });
  await test.step("quick open finds by parts of the path", async () => {
    await cockpit.files.focus();
    await page.keyboard.press("Control+p");
    await page.getByRole("combobox").filter({ visible: true }).fill("er07");
    await expect(page.getByRole("option").first()).toContainText("file07.txt");
    await expect(page.getByRole("option").first()).toContainText("deep/er");
    await look(page, "quick-open");
    await page.keyboard.press("Escape");
  });
  await test.step("a command from the palette", async () => {
    await cockpit.command("Close all editor tabs");
    await expect(page.getByRole("tab", { name: /file\d+/ })).toHaveCount(0);
  });
});

test("terminals split, are searched, and lead to files", async ({ page, host, cockpit }) => {
  await cockpit.create("terminals", { name: "terminals" });
  insideWorkspace(workspaceOf(host), "sh", "-c", "seq 1 50 > numbers.txt");
  const panes = page.locator("[data-terminal]").filter({ visible: true });

  await test.step("a path in the output opens the file at its line", async () => {
    await cockpit.run("clear; echo numbers.txt:42:1");
    await cockpit.sees(/^numbers\.txt:42:1/m);
    const line = cockpit.terminal.locator(".xterm-rows > div").filter({ hasText: /^numbers\.txt:42:1/ });
    const box = await line.boundingBox();
    if (!box) throw new Error("the line is not in view");
    await page.mouse.move(box.x + 20, box.y + box.height / 2);
    await page.keyboard.down("Control");
    await page.mouse.move(box.x + 30, box.y + box.height / 2);
    await expect(async () => {
      await page.mouse.click(box.x + 30, box.y + box.height / 2);
      await expect(page.getByRole("tab", { name: "numbers.txt" })).toBeVisible({ timeout: 500 });
    }).toPass();
    await page.keyboard.up("Control");
    await expect(page.getByRole("button", { name: /^Ln 42/ })).toBeVisible();
  });
  await test.step("search in its output", async () => {
    await cockpit.run("clear; for i in 1 2 3; do echo needle-$i; done");
    await cockpit.sees("needle-3");
    await page.keyboard.press("Control+Alt+f");
    await page.getByRole("textbox", { name: /Find/ }).fill("needle-");
    await expect(page.getByText(/of [34]/)).toBeVisible();
    await look(page, "terminal-find");
    await page.keyboard.press("Escape");
  });
  await test.step("a split has its own shell in the same folder", async () => {
    await cockpit.run("mkdir -p inner; cd inner");
    await cockpit.sees("/inner$");
    // The tab's name tells that the interface knows the new folder.
    await expect(page.getByRole("tab", { name: "inner" })).toBeVisible();
    await page.keyboard.press("Control+Shift+5");
    await expect(panes).toHaveCount(2);
    await expect(async () =>
      expect((await panes.nth(1).locator(".xterm-rows").innerText()).replaceAll("\u00a0", " ")).toContain(
        "/inner$",
      ),
    ).toPass();
    await look(page, "terminal-split");
    await page.keyboard.type("exit 3\n");
    await expect(page.getByText("Ended with status 3.")).toBeVisible();
    await page.getByRole("button", { name: "Close", exact: true }).click();
    await expect(panes).toHaveCount(1);
  });
  await test.step("a root terminal where one is asked for", async () => {
    await page.getByRole("button", { name: "New terminal with another shell or user" }).click();
    await page.getByRole("menuitem", { name: "As root" }).click();
    await cockpit.sees(/#$/m);
    await cockpit.run("echo user-$(id -u)");
    await cockpit.sees("user-0");
    await look(page, "terminal-root");
  });
});
