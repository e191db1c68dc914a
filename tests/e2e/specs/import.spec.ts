import { docker } from "../support/docker.ts";
import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

test("a container of somebody else's becomes a workspace, and stays when that is deleted", async ({
  page,
  cockpit,
}) => {
  const name = `aicockpit-e2e-import-${process.pid}`;
  docker("run", "--detach", "--name", name, "--workdir", "/srv", "debian:bookworm", "sleep", "infinity");
  try {
    await page.getByRole("button", { name: "Import a running container" }).click();
    const dialog = page.getByRole("dialog", { name: "Import a container" });
    await expect(dialog.getByText(name)).toBeVisible();
    await look(page, "import");
    await dialog.getByRole("button", { name: `Import ${name}` }).click();

    await expect(cockpit.explorer).toBeVisible({ timeout: 60_000 });
    await cockpit.prompt();
    await cockpit.run("cat /etc/os-release | head -1; echo imported > /srv/mark.txt");
    await cockpit.sees("Debian GNU/Linux 12");
    await look(page, "import-open");

    await cockpit.home();
    await expect(cockpit.card(name)).toContainText("Running");
    await cockpit.card(name).focus();
    await page.keyboard.press("Delete");
    const deletion = page.getByRole("dialog", { name: `Delete ${name}?` });
    await expect(deletion).toContainText("it stays as it is");
    await look(page, "import-delete");
    await deletion.getByRole("button", { name: "Delete workspace" }).click();
    await expect(page.getByRole("heading", { name: "Create your first workspace" })).toBeVisible({
      timeout: 60_000,
    });
    expect(docker("inspect", "--format", "{{.State.Running}}", name)).toBe("true");
    expect(docker("exec", name, "cat", "/srv/mark.txt")).toBe("imported");
  } finally {
    docker("rm", "--force", name);
  }
});
