import { type BrokerSettings, type Price } from "@/protocol/generated";
import { parseMoney } from "./limits";

/** Stands for any server, and at the end of a model's name for any rest. */
export const ANY = "*";

/** A price as it is typed. */
export interface PriceDraft {
  backend: string;
  model: string;
  input: string;
  output: string;
  cached: string;
}

export type PriceProblems = Partial<Record<"model" | "input" | "output" | "cached", string>>;

export const emptyPrice: PriceDraft = { backend: ANY, model: "", input: "", output: "", cached: "" };

export function draftOfPrice({ backend, model, input, output, cached_input }: Price): PriceDraft {
  return {
    backend,
    model,
    input: String(input),
    output: String(output),
    cached: cached_input?.toString() ?? "",
  };
}

export function priceOf({ backend, model, input, output, cached }: PriceDraft): Price {
  return {
    backend,
    model: model.trim(),
    input: parseMoney(input.trim()) ?? 0,
    output: parseMoney(output.trim()) ?? 0,
    cached_input: parseMoney(cached.trim()),
  };
}

export function priceProblems(
  draft: PriceDraft,
  prices: readonly Price[],
  at: number | undefined,
): PriceProblems {
  const model = draft.model.trim();
  const amount = (text: string, needed: boolean) =>
    (text.trim() === "" && !needed) || parseMoney(text.trim()) !== undefined
      ? undefined
      : "An amount, for instance 2.50; 0 where it costs nothing.";
  const isTaken = prices.some(
    (price, index) => index !== at && price.model === model && price.backend === draft.backend,
  );
  const problems = {
    model:
      model === ""
        ? "Name a model, or * for all."
        : /\*(?!$)/.test(model)
          ? "A * stands only at the end: gpt-* fits all that begin so."
          : isTaken
            ? "This model has a price at this server already."
            : undefined,
    input: amount(draft.input, true),
    output: amount(draft.output, true),
    cached: amount(draft.cached, false),
  };
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem !== undefined));
}

/** With this price in the place `at`, else as the last. */
export function withPrice(models: BrokerSettings, at: number | undefined, price: Price): BrokerSettings {
  const prices = at === undefined ? [...models.prices, price] : models.prices.with(at, price);
  return { ...models, prices };
}

export function withoutPrice(models: BrokerSettings, price: Price): BrokerSettings {
  return { ...models, prices: models.prices.filter((each) => !isSame(each, price)) };
}

export function withPriceAgain(models: BrokerSettings, at: number, price: Price): BrokerSettings {
  if (models.prices.some((each) => isSame(each, price))) return models;
  return { ...models, prices: models.prices.toSpliced(at, 0, price) };
}

/** One place up (-1) or down (1): the first that fits counts. */
export function withPriceMoved(models: BrokerSettings, price: Price, step: -1 | 1): BrokerSettings {
  const at = models.prices.findIndex((each) => isSame(each, price));
  const moved = models.prices[at];
  const other = models.prices[at + step];
  if (!moved || !other) return models;
  return { ...models, prices: models.prices.with(at, other).with(at + step, moved) };
}

const isSame = (a: Price, b: Price) => a.backend === b.backend && a.model === b.model;

/** Why this is no currency. */
export function currencyProblem(text: string): string | undefined {
  return /^[A-Z]{3}$/.test(text) ? undefined : "Three capital letters, for instance EUR.";
}
