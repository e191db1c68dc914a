import { execFileSync } from "node:child_process";

/** The kubeconfig of the test cluster, where there is one. */
export const kubeconfig = process.env.AICOCKPIT_TEST_KUBECONFIG;

const program = process.env.AICOCKPIT_TEST_KUBECTL ?? "kubectl";

/** Runs `kubectl` on the test cluster. */
export function kubectl(...args: string[]): string {
  if (kubeconfig === undefined) throw new Error("there is no test cluster");
  return execFileSync(program, ["--kubeconfig", kubeconfig, ...args], {
    encoding: "utf8",
    stdio: "pipe",
  }).trim();
}

/** An image with a shell and Git that the cluster's machines have or can pull. */
export function clusterImage(): string {
  const named = process.env.AICOCKPIT_TEST_CLUSTER_IMAGE;
  if (named !== undefined) return named;
  const present = kubectl("get", "nodes", "--output=jsonpath={.items[*].status.images[*].names[*]}");
  const base = present.split(" ").find((name) => /^docker\.io\/aicockpit\/base:[0-9a-f]{12}$/.test(name));
  if (base === undefined) throw new Error("the base image is on none of the cluster's machines");
  return base.replace("docker.io/", "");
}

function apply(object: object): void {
  if (kubeconfig === undefined) throw new Error("there is no test cluster");
  execFileSync(program, ["--kubeconfig", kubeconfig, "apply", "--filename=-"], {
    input: JSON.stringify(object),
    stdio: "pipe",
  });
}

const KINDS = "statefulsets,pods,services,secrets,persistentvolumeclaims,networkpolicies";

/** A machine that the cluster knows and that never answers: there is nothing behind it. */
export class SilentMachine {
  readonly name = `silent-${process.pid}`;

  make(): void {
    const node = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: this.name },
      spec: { unschedulable: true, taints: [{ key: "aicockpit.dev/silent", effect: "NoSchedule" }] },
    };
    apply(node);
  }

  dispose(): void {
    kubectl("delete", "node", this.name, "--ignore-not-found");
  }
}

/** A namespace of a test's own. */
export class Namespace {
  readonly name = `e2e-${process.pid}-${Date.now().toString(36)}`;

  make(): void {
    kubectl("create", "namespace", this.name);
  }

  /** Places the pod of the only workspace on a machine, past the scheduler; null for any that fits. */
  place(machine: string | null): void {
    const set = this.objects().find((name) => name.startsWith("statefulset"));
    if (set === undefined) throw new Error("there is no workspace");
    const patch = { spec: { template: { spec: { nodeName: machine } } } };
    kubectl("--namespace", this.name, "patch", set, "--type=merge", `--patch=${JSON.stringify(patch)}`);
  }

  /** What workspaces left in it. */
  objects(): string[] {
    const selector = "--selector=app.kubernetes.io/managed-by=aicockpit";
    const left = kubectl("--namespace", this.name, "get", KINDS, "--output=name", selector);
    return left.split("\n").filter((line) => line !== "");
  }

  /** It goes with all that is in it. */
  dispose(): void {
    kubectl("delete", "namespace", this.name, "--wait=false", "--ignore-not-found");
  }
}
