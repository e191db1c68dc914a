import { expect, it } from "vitest";
import {
  clustersProblem,
  imageProblem,
  nameProblem,
  namespaceProblem,
  parseLabels,
  parseTemplate,
  parseTolerations,
  printJson,
  printLabels,
  resourceProblem,
} from "./clusterFields";

it("reads labels line by line, and writes them the same way", () => {
  const text = "kubernetes.io/arch=amd64\ndisk=ssd\nempty=";
  const { value, problem } = parseLabels(`${text}\n\n`);
  expect(problem).toBeUndefined();
  expect(value).toEqual({ "kubernetes.io/arch": "amd64", disk: "ssd", empty: "" });
  expect(printLabels(value)).toBe(text);
});

it.each(["disk", "a b=c", "x=a b", "a/b/c=d", "/a=b", `k=${"v".repeat(64)}`])(
  "refuses the label %j",
  (line) => {
    expect(parseLabels(`ok=1\n${line}`).problem).toBeDefined();
  },
);

it.each([
  ["", []],
  ['[{"key":"gpu","operator":"Exists"}]', [{ key: "gpu", operator: "Exists" }]],
] as const)("takes the tolerations %j", (text, value) => {
  expect(parseTolerations(text)).toEqual({ value });
});

it.each(["{", '{"key":"gpu"}', '["gpu"]'])("refuses the tolerations %j", (text) => {
  expect(parseTolerations(text).problem).toBeDefined();
});

it("takes a pod template that is one object, and says why another is none", () => {
  expect(parseTemplate(" ")).toEqual({});
  expect(parseTemplate('{"priorityClassName":"low"}')).toEqual({ value: { priorityClassName: "low" } });
  expect(parseTemplate("[]").problem).toContain("One object");
  expect(parseTemplate("{").problem).toContain("not JSON");
  expect(printJson({ a: 1 })).toBe('{\n  "a": 1\n}');
  expect(printJson([])).toBe("");
  expect(printJson(undefined)).toBe("");
});

it.each([
  [namespaceProblem, ["", "team-a"], ["Team", "a.b", "-a", "a".repeat(64)]],
  [nameProblem, ["", "fast.ssd", "gvisor"], ["Fast", "a..b", "a_b"]],
  [imageProblem, ["debian:bookworm"], ["", "a b"]],
  [resourceProblem, ["nvidia.com/gpu"], ["", "gpu", "a/b/c"]],
])("checks names", (check, good, bad) => {
  expect(good.map(check)).toEqual(good.map(() => undefined));
  expect(bad.map(check).filter((problem) => problem === undefined)).toEqual([]);
});

it("names the context and the key that is wrong in the settings as JSON", () => {
  expect(clustersProblem({ lab: { enabled: true, storage_gib: 5, later: 1 } })).toBeUndefined();
  expect(clustersProblem({ lab: { enabled: "yes" } })).toContain("“lab”, “enabled”");
  expect(clustersProblem({ lab: { node_selector: { disk: 1 } } })).toContain("“node_selector”");
  expect(clustersProblem({ lab: true })).toContain("“lab”");
});
