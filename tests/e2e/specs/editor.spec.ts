import { insideWorkspace } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { expect, test, workspaceOf } from "../support/test.ts";

/** A picture of one blue pixel, 4 by 4. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGNgiPsPR8RxAPlyEkUJ3VxxAAAAAElFTkSuQmCC";

test("a file that changes on disk while text is unsaved asks, and loses neither", async ({
  page,
  host,
  cockpit,
}) => {
  await cockpit.create("conflict", { name: "conflict" });
  const inside = (script: string) => insideWorkspace(workspaceOf(host), "sh", "-c", script);
  const bar = page.getByRole("alert").filter({ hasText: "The file changed on disk" });
  const disturb = async (typed: string, written: string) => {
    await cockpit.editor.click();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type(typed);
    inside(`echo '${written}' >> /workspace/plan.txt`);
    await expect(bar).toBeVisible();
  };
  inside("printf 'one\\ntwo\\n' > /workspace/plan.txt");
  await cockpit.openFile("plan.txt");
  await expect(cockpit.editor).toContainText("two");

  await test.step("taken over by itself where nothing is unsaved", async () => {
    inside("echo three >> /workspace/plan.txt");
    await expect(cockpit.editor).toContainText("three");
    await expect(bar).toHaveCount(0);
  });

  await test.step("compared, then overwritten", async () => {
    await disturb("mine ", "theirs");
    expect(inside("cat /workspace/plan.txt")).not.toContain("mine");
    await look(page, "conflict");
    await bar.getByRole("button", { name: "Compare" }).click();
    await expect(page.getByRole("tab", { name: /plan\.txt ↔ disk/ })).toBeVisible();
    await expect(page.locator(".monaco-diff-editor").filter({ visible: true })).toContainText("theirs");
    await look(page, "conflict-compare");
    await page.getByRole("tab", { name: "plan.txt", exact: true }).click();
    await bar.getByRole("button", { name: "Overwrite" }).click();
    await expect(bar).toHaveCount(0);
    expect(inside("cat /workspace/plan.txt")).toBe("mine one\ntwo\nthree");
  });

  await test.step("reloaded, and brought back by undo", async () => {
    await disturb("again ", "fourth");
    await bar.getByRole("button", { name: "Reload from disk" }).click();
    await expect(bar).toHaveCount(0);
    await expect(cockpit.editor).toContainText("fourth");
    await expect(cockpit.editor).not.toContainText("again");
    await cockpit.editor.click();
    await page.keyboard.press("Control+z");
    await expect(cockpit.editor).toContainText("again mine one");
  });
});

test("pictures, pages, binary and large files are shown as what they are", async ({
  page,
  host,
  cockpit,
}) => {
  await cockpit.create("kinds", { name: "kinds" });
  const inside = (script: string) => insideWorkspace(workspaceOf(host), "sh", "-c", script);
  inside(`cd /workspace
    echo ${PNG} | base64 --decode > dot.png
    printf '# Title\\n\\n- [x] done\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |\\n\\n![dot](dot.png)\\n\\n<script>document.title = "run"</script>\\n' > page.md
    head --bytes 5000 /dev/urandom > data.bin
    yes 'All work and no play makes a dull log.' | head --bytes 20000000 > large.log
    yes 'All work and no play makes a dull log.' | head --bytes 100000000 > larger.log
    yes | head --bytes 120000000 > largest.log`);

  await test.step("a picture", async () => {
    await cockpit.openFile("dot.png");
    await expect(page.getByRole("img", { name: /dot\.png/ })).toBeVisible();
    await expect(page.getByText("4 × 4")).toBeVisible();
    await look(page, "file-image");
  });
  await test.step("a Markdown page beside its text", async () => {
    await cockpit.openFile("page.md");
    await page.getByRole("button", { name: "Open preview to the side" }).click();
    await expect(page.getByRole("heading", { name: "Title" })).toBeVisible();
    await expect(page.getByRole("img", { name: "dot" })).toBeVisible();
    expect(await page.title()).not.toBe("run");
    await look(page, "file-markdown");
    await cockpit.command("Close all editor tabs");
  });
  await test.step("a binary file", async () => {
    await cockpit.openFile("data.bin");
    await expect(page.getByRole("heading", { name: "This file is not text" })).toBeVisible();
    await look(page, "file-binary");
  });
  await test.step("20 MB and 100 MB, read-only and said so", async () => {
    await cockpit.openFile("large.log");
    await expect(cockpit.editor).toContainText("dull log", { timeout: 60_000 });
    await expect(page.getByText("Files above 15 MB are shown read-only")).toBeVisible();
    await look(page, "file-large");
    await cockpit.openFile("larger.log");
    await expect(cockpit.editor).toContainText("dull log", { timeout: 60_000 });
    await page.keyboard.press("Control+End");
    await expect(page.getByRole("button", { name: /^Ln 2\d{6}/ })).toBeVisible();
  });
  await test.step("more than that", async () => {
    await cockpit.openFile("largest.log");
    await expect(page.getByRole("heading", { name: "This file is too large" })).toBeVisible();
    await look(page, "file-too-large");
  });
});

test("Git's state colours the tree", async ({ page, host, cockpit }) => {
  await cockpit.create("git", { name: "git" });
  const inside = (script: string) => insideWorkspace(workspaceOf(host), "sh", "-c", script);
  inside(`cd /workspace && git init --quiet --initial-branch=main . && mkdir src
    echo one > src/kept.txt; echo two > src/changed.txt; echo '*.log' > .gitignore
    git add --all && git -c user.name=Ada -c user.email=ada@example.org commit --quiet --message Start`);
  const row = (name: string | RegExp) => cockpit.files.getByRole("treeitem", { name });
  await row("src").click();
  inside("cd /workspace && echo more >> src/changed.txt && echo new > src/added.txt && echo x > build.log");
  await expect(row("changed.txt, modified")).toBeVisible();
  await expect(row("added.txt, untracked")).toBeVisible();
  await expect(row("build.log, ignored")).toBeVisible();
  await expect(page.getByRole("button", { name: /Branch main, 2 changed/ })).toBeVisible();
  await look(page, "git");
  inside("cd /workspace && git checkout --quiet src/changed.txt && rm src/added.txt");
  await expect(row("changed.txt")).toBeVisible();
  await expect(row(/modified/)).toHaveCount(0);
});
