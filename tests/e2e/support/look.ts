import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const pictures = join(import.meta.dirname, "../../artifacts/screens");

/** Takes a picture of what is in view. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(pictures, { recursive: true });
  // A picture in the middle of a movement shows neither state.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        // What turns while work is under way never ends, and what is out of view stands still.
        .filter(({ effect }) => {
          const target = effect instanceof KeyframeEffect ? effect.target : null;
          return effect?.getComputedTiming().iterations !== Infinity && target?.checkVisibility() === true;
        })
        .map((animation) => animation.finished.catch(() => {})),
    ),
  );
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** Takes a picture of what is in view and asks axe about it. */
export async function look(page: Page, name: string): Promise<void> {
  await picture(page, name);
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  expect.soft(serious, `axe on ${name}`).toEqual([]);
}
