import { expect, type Locator, type Page } from "@playwright/test";

/** Longest time the first creation may take: on a fresh machine it builds the base image. */
const FIRST_CREATION = 10 * 60_000;

/** What a person does on the dashboard and in a workspace. */
export class Cockpit {
  readonly explorer: Locator;
  readonly files: Locator;
  readonly terminal: Locator;

  constructor(readonly page: Page) {
    this.explorer = page.getByRole("region", { name: "Explorer" });
    this.files = page.getByRole("tree", { name: "Files" });
    this.terminal = page.locator("[data-terminal]").filter({ visible: true }).first();
  }

  /** Creates a workspace from the one field and waits until its files and a prompt are there. */
  async create(source: string, options: { readAs?: string; name: string; image?: string }): Promise<void> {
    const { page } = this;
    const field = page.getByRole("textbox", { name: "What to make a workspace from" });
    if (!(await field.isVisible())) {
      await page
        .getByRole("navigation", { name: "Open workspaces" })
        .getByRole("button", { name: "Create workspace" })
        .click();
    }
    await field.fill(source);
    const form = page.locator("form").filter({ has: field });
    if (options.readAs !== undefined) await form.getByRole("radio", { name: options.readAs }).click();
    await form.getByRole("button", { name: "Details" }).click();
    await form.getByRole("textbox", { name: "Name", exact: true }).fill(options.name);
    if (options.image !== undefined) await form.getByRole("textbox", { name: "Image" }).fill(options.image);
    await form.getByRole("button", { name: "Create workspace" }).click();
    const failure = page.getByRole("heading", { name: "could not be created" });
    await expect(this.explorer.or(failure)).toBeVisible({ timeout: FIRST_CREATION });
    await expect(failure, "the creation failed").not.toBeVisible();
    await this.prompt();
  }

  /** Waits for a shell prompt in the terminal that is in view. */
  async prompt(): Promise<void> {
    await expect(async () => expect(await this.terminalText()).toMatch(/[$#]\s*$/m)).toPass({
      timeout: 60_000,
    });
  }

  /** Types a line into the terminal that is in view. */
  async run(line: string): Promise<void> {
    await this.terminal.click();
    await this.page.keyboard.type(line);
    await this.page.keyboard.press("Enter");
  }

  /** The text on the terminal's screen. */
  async terminalText(): Promise<string> {
    return (await this.terminal.locator(".xterm-rows > div").allInnerTexts())
      .map((line) => line.replaceAll("\u00a0", " ").trimEnd())
      .join("\n");
  }

  /** Waits until the terminal's screen shows `text`. */
  async sees(text: string | RegExp): Promise<void> {
    await expect(async () => {
      const screen = await this.terminalText();
      if (typeof text === "string") expect(screen).toContain(text);
      else expect(screen).toMatch(text);
    }).toPass({ timeout: 60_000 });
  }

  /** Opens a file by quick open. */
  async openFile(name: string): Promise<void> {
    // In a terminal Ctrl+P is the shell's.
    await this.files.focus();
    await this.page.keyboard.press("Control+P");
    const box = this.page.getByRole("combobox").filter({ visible: true });
    await box.fill(name);
    await expect(this.page.getByRole("option").first()).toContainText(name);
    await this.page.keyboard.press("Enter");
  }

  /** The text editor in view. */
  get editor(): Locator {
    return this.page.locator(".monaco-editor").filter({ visible: true }).first();
  }
}
