import { type CreateWorkspace, type EngineId, type Profile } from "@/protocol/generated";
import { type Reading } from "./recognise";

/** The create form's details, as typed. */
export interface Details {
  name: string;
  branch: string;
  engine: EngineId | undefined;
  /** Empty for the base image. */
  image: string;
  profile: Profile;
  memoryGb: string;
  cpus: string;
  pids: string;
  ports: string;
  env: string;
  certificates: boolean;
  gpu: boolean;
}

export const NO_DETAILS: Details = {
  name: "",
  branch: "",
  engine: undefined,
  image: "",
  profile: "standard",
  memoryGb: "",
  cpus: "",
  pids: "",
  ports: "",
  env: "",
  certificates: false,
  gpu: false,
};

export type Problems = Partial<Record<keyof Details, string>>;

const GB = 1024 ** 3;

/** The request that the form stands for, and what is wrong with it by field. */
export function toRequest(
  reading: Reading,
  details: Details,
): { request: CreateWorkspace; problems: Problems } {
  const problems: Problems = {};
  const number = (
    field: "memoryGb" | "cpus" | "pids",
    least: number,
    sentence: string,
  ): number | undefined => {
    const text = details[field].trim().replace(",", ".");
    if (text === "") return undefined;
    const value = Number(text);
    if (Number.isFinite(value) && value >= least) return value;
    problems[field] = sentence;
    return undefined;
  };
  const memory = number("memoryGb", 0.0625, "At least 0.0625 GB (64 MB).");
  const cpus = number("cpus", 0.1, "At least 0.1 cores.");
  const pids = number("pids", 64, "At least 64.");
  const name = details.name.trim() || reading.name;
  if (name !== undefined && name.length > 64) problems.name = "A name has at most 64 characters.";
  const image = reading.image ?? (details.image.trim() || undefined);
  const branch = details.branch.trim();
  const source =
    reading.source.kind === "git" && branch !== "" ? { ...reading.source, branch } : reading.source;
  return {
    problems,
    request: {
      ...(name === undefined ? {} : { name }),
      ...(details.engine === undefined ? {} : { engine: details.engine }),
      spec: {
        source,
        image: image === undefined ? { kind: "base" } : { kind: "reference", reference: image },
        profile: details.profile,
        limits: {
          ...(memory === undefined ? {} : { memory_bytes: Math.round(memory * GB) }),
          ...(cpus === undefined ? {} : { cpu_millis: Math.round(cpus * 1000) }),
          ...(pids === undefined ? {} : { pids: Math.round(pids) }),
        },
        trust_host_certificates: details.certificates,
        gpu: details.gpu,
        published_ports: parsePorts(details.ports, problems),
        env: parseEnv(details.env, problems),
      },
    },
  };
}

function parsePorts(text: string, problems: Problems): CreateWorkspace["spec"]["published_ports"] {
  const isPort = (value: number) => Number.isInteger(value) && value >= 1 && value <= 65535;
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== "")
    .map((part) => {
      const [first, second] = part.split(":").map(Number);
      const [host, container] = second === undefined ? [undefined, first] : [first, second];
      if (container === undefined || !isPort(container) || (host !== undefined && !isPort(host))) {
        problems.ports = `“${part}” is no port: write 8080, or 3000:8080 for port 3000 of this machine.`;
      }
      return { container: container ?? 0, ...(host === undefined ? {} : { host }) };
    });
}

function parseEnv(text: string, problems: Problems): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const [, key, value] = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined)
      problems.env = `“${line.trim()}” is not of the form NAME=value.`;
    else env[key] = value;
  }
  return env;
}
