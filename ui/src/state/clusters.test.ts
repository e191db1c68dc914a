import { expect, it } from "vitest";
import { type EngineInfo, type Settings } from "@/protocol/generated";
import { CLUSTER_DEFAULTS, clusterOf, contextOf, shortContext, withCluster } from "./clusters";

const engine = (endpoint: string) => ({ endpoint }) as EngineInfo;
const settings = (clusters: object) => ({ clusters }) as Settings;

it.each([
  ["kubernetes://lab", "lab"],
  ["kubernetes://lab?kubeconfig=/home/me/.kube/config", "lab"],
  ["kubernetes://arn:aws:eks:eu-west-1:1234:cluster/lab", "arn:aws:eks:eu-west-1:1234:cluster/lab"],
])("%s names the context %s", (endpoint, context) => {
  expect(contextOf(engine(endpoint))).toBe(context);
});

it("shortens the name of a context to its telling part", () => {
  expect(shortContext("team/lab")).toBe("team/lab");
  expect(shortContext("arn:aws:eks:eu-west-1:123456789012:cluster/lab")).toBe("lab");
  expect(shortContext("arn:aws:eks:eu-west-1:123456789012:cluster/")).toContain("arn:aws");
});

it("fills in what the settings leave out", () => {
  expect(clusterOf(settings({}), engine("kubernetes://lab"))).toEqual(CLUSTER_DEFAULTS);
  const kept = clusterOf(settings({ lab: { enabled: true } }), engine("kubernetes://lab"));
  expect(kept).toEqual({ ...CLUSTER_DEFAULTS, enabled: true });
});

it("changes one cluster and leaves the others as they are", () => {
  const before = settings({ other: { enabled: true } });
  const { clusters } = withCluster(before, engine("kubernetes://lab"), { namespace: "team" });
  expect(clusters.lab).toEqual({ ...CLUSTER_DEFAULTS, namespace: "team" });
  expect(clusters.other).toEqual({ enabled: true });
});
