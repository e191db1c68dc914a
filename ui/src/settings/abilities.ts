import { type EngineCapabilities, type EngineInfo } from "@/protocol/generated";

type Ability = keyof EngineCapabilities;

export const ABILITIES: Record<Ability, string> = {
  pause: "Pause and resume",
  commit: "Save as image",
  memory_limit: "Memory limits",
  cpu_limit: "CPU limits",
  pids_limit: "Process limits",
  stats: "Figures of use",
  gpu: "GPU",
  rootless: "Runs without root",
  keep_id: "Keeps owners of host folders",
  custom_subnet: "Networks of our own range",
  images: "Store of images",
  files_at_rest: "Files of stopped containers",
  host_folders: "Folders of this machine",
  published_ports: "Published ports",
  keeps_root: "Installed software outlives a stop",
  exec_options: "Terminals as root",
  no_network: "Cut off from every network",
  sudo: "sudo inside",
  self_healing: "Ended containers start anew",
  split_logs: "Errors apart in the log",
};

/** Why a cluster lacks an ability, and by what words a note of the engine is known to say so already. */
const CLUSTER_LACKS: Partial<Record<Ability, { why: string; said: RegExp }>> = {
  pause: { why: "Kubernetes cannot freeze a pod.", said: /paus|freez/i },
  commit: { why: "A pod cannot be saved as an image through Kubernetes’ API.", said: /sav|commit/i },
  pids_limit: { why: "Set by the cluster’s machines (kubelet), not by a pod.", said: /process|pids/i },
  stats: {
    why: "The cluster offers no metrics API to this account; the agent inside measures in its place.",
    said: /metric|figure/i,
  },
  gpu: { why: "No machine of the cluster offers the resource that stands for a GPU.", said: /gpu/i },
  keep_id: { why: "There are no folders of this machine whose owner could be kept.", said: /owner/i },
  custom_subnet: { why: "The cluster gives pods their addresses.", said: /address|subnet|range/i },
  images: { why: "The cluster’s machines pull images by themselves.", said: /\bimages?\b.*\bpull|\bpull/i },
  files_at_rest: {
    why: "A volume can be reached only while a pod uses it.",
    said: /at rest|not run|stopped/i,
  },
  host_folders: {
    why: "Pods run on other machines; they cannot mount what lies on this one.",
    said: /folder/i,
  },
  published_ports: { why: "Ports are forwarded by themselves instead.", said: /\bports?\b/i },
  keeps_root: { why: "A stop removes the pod; only its volume stays.", said: /volume|outside/i },
  exec_options: { why: "Kubernetes runs programs only as the pod’s own user.", said: /\broot\b|\buser\b/i },
  no_network: { why: "Whether a pod is cut off depends on the network plugin.", said: /network pol|plugin/i },
  split_logs: { why: "A pod’s log is one stream.", said: /\blogs?\b/i },
  sudo: { why: "The namespace forbids the capabilities that sudo needs.", said: /sudo/i },
};

export interface Lack {
  /** The ability's word; absent where the sentence stands for itself. */
  ability?: string;
  why: string;
}

/** What an engine lacks or depends on, a sentence each: its own notes, then what they do not say. */
export function lacks({
  kind,
  capabilities,
  notes,
}: Pick<EngineInfo, "kind" | "capabilities" | "notes">): Lack[] {
  const reasons: Lack[] = notes.map((why) => ({ why }));
  if (kind !== "kubernetes") return reasons;
  for (const ability of Object.keys(ABILITIES) as Ability[]) {
    const lack = CLUSTER_LACKS[ability];
    if (lack === undefined || capabilities[ability] || notes.some((note) => lack.said.test(note))) continue;
    reasons.push({ ability: ABILITIES[ability], why: lack.why });
  }
  return reasons;
}
