import { type ClusterSettings, type EngineInfo, type Settings } from "@/protocol/generated";

/** What a context that the settings do not name has: the same as the host's own defaults. */
export const CLUSTER_DEFAULTS: ClusterSettings = {
  enabled: false,
  base_image: "docker.io/library/buildpack-deps:bookworm-scm",
  storage_gib: 10,
  node_selector: {},
  tolerations: [],
  labels: {},
  gpu_resource: "nvidia.com/gpu",
};

/** The context of the kubeconfig that an engine stands for: what the settings know its cluster by. */
export function contextOf({ endpoint }: Pick<EngineInfo, "endpoint">): string {
  return endpoint.replace(/^kubernetes:\/\//, "").replace(/\?kubeconfig=.*$/s, "");
}

/** A context's name where there is little room: of `arn:aws:eks:…:cluster/name` what follows the slash. */
export function shortContext(name: string): string {
  return name.length > 24 ? (/[^/]+$/.exec(name)?.[0] ?? name) : name;
}

/** How workspaces are made in an engine's cluster. */
export function clusterOf(settings: Settings, engine: EngineInfo): ClusterSettings {
  return { ...CLUSTER_DEFAULTS, ...settings.clusters[contextOf(engine)] };
}

/** The settings with those of an engine's cluster changed. */
export function withCluster(
  settings: Settings,
  engine: EngineInfo,
  change: Partial<ClusterSettings>,
): Pick<Settings, "clusters"> {
  const cluster = { ...clusterOf(settings, engine), ...change };
  return { clusters: { ...settings.clusters, [contextOf(engine)]: cluster } };
}
