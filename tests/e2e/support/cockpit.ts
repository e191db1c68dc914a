import { expect, type Locator, type Page } from "@playwright/test";

/** Longest time the first creation may take: on a fresh machine it builds the base image. */
const FIRST_CREATION = 10 * 60_000;

interface CreateOptions {
  readAs?: string;
  name: string;
  image?: string;
}

/** What a person does on the dashboard and in a workspace. */
export class Cockpit {
  readonly explorer: Locator;
  readonly files: Locator;
  readonly terminal: Locator;

  constructor(readonly page: Page) {
    // Workspaces that are open but not in view stay on the page.
    this.explorer = page.getByRole("region", { name: "Explorer" }).filter({ visible: true });
    this.files = page.getByRole("tree", { name: "Files" }).filter({ visible: true });
    this.terminal = page.locator("[data-terminal]").filter({ visible: true }).first();
  }

  /** Fills in the one field and what is folded away below it, and sends the form off. */
  async begin(source: string, options: CreateOptions): Promise<void> {
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
    if (options.image !== undefined) await form.getByRole("combobox", { name: "Image" }).fill(options.image);
    await form.getByRole("button", { name: "Create workspace" }).click();
  }

  /** Creates a workspace and waits until its files and a prompt are there. */
  async create(source: string, options: CreateOptions): Promise<void> {
    const { page } = this;
    await this.begin(source, options);
    const failure = page.getByText("could not be created");
    await expect(this.explorer.or(failure).filter({ visible: true })).toBeVisible({
      timeout: FIRST_CREATION,
    });
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

  /** Runs a command from the palette. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press("F1");
    const box = this.page.getByRole("combobox", { name: "Commands" });
    await box.fill(title);
    await expect(this.page.getByRole("option").first()).toContainText(title);
    await this.page.keyboard.press("Enter");
    await expect(box).toHaveCount(0);
  }

  /** The card of a workspace on the dashboard. */
  card(name: string): Locator {
    return this.page.getByRole("gridcell", { name: new RegExp(`^${name}, `) });
  }

  /** Goes to the dashboard. */
  async home(): Promise<void> {
    await this.page
      .getByRole("navigation", { name: "Open workspaces" })
      .getByRole("button", { name: "Workspaces" })
      .click();
  }

  /** Deletes a workspace from the dashboard. */
  async delete(name: string): Promise<void> {
    await this.card(name).focus();
    await this.page.keyboard.press("Delete");
    await this.page
      .getByRole("dialog", { name: `Delete ${name}?` })
      .getByRole("button", { name: "Delete workspace" })
      .click();
    await expect(this.card(name)).toHaveCount(0, { timeout: 60_000 });
  }

  /** The text editor in view. */
  get editor(): Locator {
    return this.page.locator(".monaco-editor").filter({ visible: true }).first();
  }
}
