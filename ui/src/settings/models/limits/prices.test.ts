import { expect, it } from "vitest";
import { NO_MODELS } from "../fixture";
import {
  draftOfPrice,
  emptyPrice,
  priceOf,
  priceProblems,
  withoutPrice,
  withPrice,
  withPriceAgain,
  withPriceMoved,
} from "./prices";

const price = (model: string, backend = "*") => ({ backend, model, input: 2.5, output: 10 });
const MODELS = { ...NO_MODELS, prices: [price("gpt-4o*"), price("gpt-*"), price("*")] };
const listed = (models: typeof MODELS) => models.prices.map(({ model }) => model);

it("a price survives being typed", () => {
  const full = { ...price("m", "openai"), cached_input: 0.3 };
  expect(priceOf(draftOfPrice(full))).toEqual(full);
  expect(priceOf(draftOfPrice(price("m")))).toEqual(price("m"));
  expect(priceOf({ ...emptyPrice, model: " m ", input: "0,5", output: "0" })).toMatchObject({
    model: "m",
    input: 0.5,
    output: 0,
  });
});

it.each([
  [{ model: "" }, "Name a model"],
  [{ model: "a*b" }, "only at the end"],
  [{ model: "gpt-*" }, "already"],
  [{ model: "m", input: "" }, "An amount"],
  [{ model: "m", output: "-1" }, "An amount"],
  [{ model: "m", cached: "x" }, "An amount"],
])("%j is refused", (change, why) => {
  const draft = { ...emptyPrice, input: "1", output: "1", ...change };
  expect(Object.values(priceProblems(draft, MODELS.prices, undefined)).join()).toContain(why);
});

it("a price may keep its own model, and the same model may cost otherwise elsewhere", () => {
  expect(priceProblems(draftOfPrice(price("gpt-*")), MODELS.prices, 1)).toEqual({});
  expect(priceProblems(draftOfPrice(price("gpt-*", "azure")), MODELS.prices, undefined)).toEqual({});
});

it("prices are added, changed, moved, removed and brought back in their places", () => {
  expect(listed(withPrice(MODELS, undefined, price("x")))).toEqual(["gpt-4o*", "gpt-*", "*", "x"]);
  expect(listed(withPrice(MODELS, 1, price("x")))).toEqual(["gpt-4o*", "x", "*"]);
  expect(listed(withPriceMoved(MODELS, price("*"), -1))).toEqual(["gpt-4o*", "*", "gpt-*"]);
  expect(withPriceMoved(MODELS, price("*"), 1)).toBe(MODELS);
  const without = withoutPrice(MODELS, price("gpt-*"));
  expect(listed(without)).toEqual(["gpt-4o*", "*"]);
  expect(withPriceAgain(without, 1, price("gpt-*"))).toEqual(MODELS);
  expect(withPriceAgain(MODELS, 1, price("gpt-*"))).toBe(MODELS);
});
