import { type Page } from "@playwright/test";
import { clusterImage, kubeconfig, Namespace, SilentMachine } from "../support/cluster.ts";
import { Cockpit } from "../support/cockpit.ts";
import { Host, WITHOUT_SOCKETS } from "../support/host.ts";
import { look } from "../support/look.ts";
import { expect, test } from "../support/test.ts";

// Nothing is run where there is no cluster, and that is said.
if (kubeconfig === undefined) {
  console.log("NOT RUN: AICOCKPIT_TEST_KUBECONFIG names no cluster (`cargo xtask cluster up` makes one)");
}
test.skip(kubeconfig === undefined, "AICOCKPIT_TEST_KUBECONFIG names no cluster");

/** Time that a cluster may take to bring a pod up or down on a loaded machine. */
const PATIENCE = { timeout: 120_000 };

/** A picture in each theme. */
async function inBoth(page: Page, name: string): Promise<void> {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
    // Colours begin to change with the next frame, and the look waits for what moves.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    await look(page, `cluster-${name}-${theme}`);
  }
}

test("a workspace on a cluster: made, used, stopped, started, deleted, and why one does not start", async ({
  page,
}) => {
  test.setTimeout(15 * 60_000);
  const namespace = new Namespace();
  const machine = new SilentMachine();
  namespace.make();
  // As on a machine where nothing but the kubeconfig is.
  const host = new Host(
    { KUBECONFIG: kubeconfig ?? "", DOCKER_HOST: "unix:///nowhere/docker.sock" },
    WITHOUT_SOCKETS,
  );
  const cockpit = new Cockpit(page);
  const cluster = page
    .getByRole("region")
    .filter({ has: page.getByRole("switch", { name: "Use this cluster" }) });
  const setting = async (name: string, value: string) => {
    const field = cluster.getByRole("textbox", { name, exact: true });
    await field.fill(value);
    await field.blur();
  };
  const showCluster = async () => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("navigation", { name: "Settings" }).getByRole("button", { name: "Engines" }).click();
    await cluster.getByRole("button", { name: "Cluster settings" }).click();
  };
  /** Starts the workspace in view; its file is there, and a terminal works. */
  const startAndRead = async (sum: string) => {
    const bar = page.getByRole("status").filter({ visible: true });
    await page.getByRole("button", { name: "Start", exact: true }).filter({ visible: true }).click();
    await expect(bar.filter({ hasText: /The workspace does not run|Starting/ })).toHaveCount(0, PATIENCE);
    // The terminal of before is shown until its successor takes its place.
    await expect(async () => {
      const screen = await cockpit.terminalText();
      expect(screen).toMatch(/[$#]\s*$/);
      expect(screen).not.toContain("written by hand");
    }).toPass(PATIENCE);
    const [one, other] = sum.split(" + ").map(Number);
    await cockpit.run(`cat note.txt; echo sum-$((${sum}))`);
    await cockpit.sees(new RegExp(`written by hand[^]*sum-${Number(one) + Number(other)}`));
  };
  /** Stops the workspace, and has it start on a machine that never answers. */
  const strand = async () => {
    await cockpit.card("pond").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Stop" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stop workspace" }).click();
    await expect(cockpit.card("pond")).toContainText("Stopped", PATIENCE);
    machine.make();
    namespace.place(machine.name);
    await cockpit.card("pond").focus();
    await cockpit.card("pond").getByRole("button", { name: "Start pond" }).click();
    await expect(cockpit.card("pond")).toContainText("Starting");
    await cockpit.card("pond").getByRole("button", { name: "Stop pond" }).click();
    await expect(cockpit.card("pond")).toContainText("Machine not answering", PATIENCE);
  };
  try {
    await page.goto(await host.start());

    await test.step("the cluster is switched on and set up", async () => {
      await expect(page.getByRole("heading", { name: "An engine is needed to run it" })).toBeVisible();
      await inBoth(page, "first-run");
      await page.getByRole("button", { name: "Use the cluster" }).click();
      await cluster.getByRole("switch", { name: "Use this cluster" }).click();
      await expect(cluster).toContainText("Ready", PATIENCE);
      await cluster.getByRole("button", { name: "Cluster settings" }).click();
      await setting("Namespace", namespace.name);
      await setting("Image for new workspaces", clusterImage());
      await setting("Volume size", "1");
      await expect(cluster).toContainText("Ready", PATIENCE);
      await inBoth(page, "settings");
      await cockpit.home();
    });

    await test.step("a workspace is made", async () => {
      await cockpit.begin("pond", { name: "pond" });
      await expect(page.getByText("The cluster's machines pull it")).toBeVisible();
      await inBoth(page, "creating");
      const failure = page.getByText("could not be created");
      await expect(cockpit.explorer.or(failure).filter({ visible: true })).toBeVisible(PATIENCE);
      await expect(failure, "the creation failed").not.toBeVisible();
      await cockpit.prompt();
      await cockpit.run("echo from-$((40 + 2)) > note.txt");
      await cockpit.openFile("note.txt");
      await expect(cockpit.editor).toContainText("from-42");
      await cockpit.editor.click();
      await page.keyboard.press("Control+End");
      await page.keyboard.type("written by hand");
      await page.keyboard.press("Control+S");
      await cockpit.run("cat note.txt");
      await cockpit.sees("written by hand");
      await inBoth(page, "cockpit");
    });

    await test.step("it is stopped after a word on what goes, and started with its files", async () => {
      await cockpit.home();
      await inBoth(page, "dashboard");
      await cockpit.card("pond").click({ button: "right" });
      await page.getByRole("menuitem", { name: "Stop" }).click();
      const question = page.getByRole("dialog", { name: "Stop pond?" });
      await expect(question).toContainText("Only the volume stays");
      await inBoth(page, "stop");
      await question.getByRole("button", { name: "Stop workspace" }).click();
      await expect(cockpit.card("pond")).toContainText("Stopped", PATIENCE);
      await inBoth(page, "stopped-dashboard");
      await cockpit.card("pond").getByRole("button", { name: "Open" }).click();
      await startAndRead("41 + 1");
      await cockpit.home();
    });

    await test.step("its machine does not answer, and it is let go", async () => {
      const bar = page.getByRole("status").filter({ visible: true });
      await strand();
      await expect(cockpit.card("pond")).toContainText(`The machine ${machine.name} does not confirm`);
      await inBoth(page, "stranded-dashboard");
      await cockpit.card("pond").focus();
      await page.keyboard.press("Delete");
      await expect(page.getByRole("dialog")).toContainText("unless you let it go");
      await inBoth(page, "stranded-delete");
      await page.keyboard.press("Escape");
      await cockpit.card("pond").getByRole("button", { name: "Show" }).click();
      await expect(bar.filter({ hasText: "does not confirm that it ended" })).toBeVisible();
      await inBoth(page, "stranded");
      await page.getByRole("button", { name: "Let go…" }).filter({ visible: true }).click();
      const warning = page.getByRole("dialog", { name: "Let pond go?" });
      await expect(warning).toContainText("may still run");
      await inBoth(page, "let-go");
      await warning.getByRole("button", { name: "Let it go" }).click();
      await expect(bar.filter({ hasText: "The workspace does not run" })).toBeVisible(PATIENCE);
      machine.dispose();
      namespace.place(null);
      await startAndRead("42 + 1");
      await cockpit.home();
    });

    await test.step("an image that cannot be pulled", async () => {
      await cockpit.begin("reeds", { name: "reeds", image: "registry.invalid/team/reeds:1" });
      const alert = page.getByRole("alert").filter({ hasText: "reeds could not be created" });
      await expect(alert).toContainText("registry.invalid/team/reeds:1", PATIENCE);
      await expect(alert).toContainText("The cluster's machines pull images themselves");
      await inBoth(page, "no-image");
      await cockpit.home();
      await inBoth(page, "no-image-dashboard");
    });

    await test.step("no machine fits", async () => {
      await showCluster();
      await cluster.getByRole("button", { name: "Advanced" }).click();
      await setting("Node selector", "aicockpit.test/nowhere=true");
      await cockpit.home();
      await cockpit.begin("island", { name: "island" });
      await expect(page.getByText("nodes are available").first()).toBeVisible(PATIENCE);
      await inBoth(page, "unplaced");
      await cockpit.home();
      await expect(cockpit.card("island")).toContainText("nodes are available");
      await inBoth(page, "unplaced-dashboard");
      await cockpit.card("island").click({ button: "right" });
      await page.getByRole("menuitem", { name: "Timeline" }).click();
      await expect(page.getByRole("dialog")).toContainText("nodes are available");
      await inBoth(page, "unplaced-timeline");
      await page.keyboard.press("Escape");
    });

    await test.step("deleted, with nothing left over", async () => {
      for (const name of ["island", "reeds"]) await cockpit.delete(name);
      // A card goes as soon as its deletion has begun.
      const sets = () => namespace.objects().filter((name) => name.startsWith("statefulset"));
      await expect.poll(sets, PATIENCE).toHaveLength(1);
      await strand();
      await cockpit.card("pond").focus();
      await page.keyboard.press("Delete");
      const question = page.getByRole("dialog", { name: "Delete pond?" });
      await question.getByRole("checkbox", { name: /^Let it go/ }).click();
      await question.getByRole("button", { name: "Delete workspace" }).click();
      await expect(cockpit.card("pond")).toHaveCount(0, PATIENCE);
      await expect.poll(() => namespace.objects(), PATIENCE).toEqual([]);
    });
  } finally {
    await host.dispose();
    machine.dispose();
    namespace.dispose();
  }
});
