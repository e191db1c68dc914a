import { expect, it } from "vitest";
import { parseTarget } from "./target";

it.each([
  ["3000", { host: "localhost", port: 3000 }],
  [" db:5432 ", { host: "db", port: 5432 }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["0", undefined],
  ["70000", undefined],
  ["db:", undefined],
  ["a b:80", undefined],
])("reads %j as a target to forward", (text, target) => {
  expect(parseTarget(text)).toEqual(target);
});
