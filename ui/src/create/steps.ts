import { type StepKind, type StepState } from "@/protocol/generated";

const LABELS: Record<StepKind, { before: string; running: string; done: string }> = {
  image: { before: "Prepare image", running: "Preparing image", done: "Image ready" },
  agent: { before: "Provide agent", running: "Providing agent", done: "Agent provided" },
  network: { before: "Make network", running: "Making network", done: "Network made" },
  volume: { before: "Make volume", running: "Making volume", done: "Volume made" },
  clone: { before: "Clone repository", running: "Cloning repository", done: "Repository cloned" },
  container: { before: "Create container", running: "Creating container", done: "Container created" },
  start: { before: "Start container", running: "Starting container", done: "Container started" },
  connect: { before: "Connect", running: "Connecting", done: "Connected" },
};

export function stepLabel(kind: StepKind, state: StepState): string {
  const label = LABELS[kind];
  if (state === "running") return label.running;
  return state === "done" ? label.done : label.before;
}
