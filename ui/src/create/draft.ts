import { type CreateWorkspace, type EngineId, type EngineInfo, type Profile } from "@/protocol/generated";
import { can } from "./engine";
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

/** What is wrong, by field; `source` is the one field above the details. */
export type Problems = Partial<Record<keyof Details | "source", string>>;

const GB = 1024 ** 3;

/**
 * The request that the form stands for on an engine, and what is wrong with it by field. What the engine cannot do is
 * left out: its fields cannot be filled in, whatever they still hold from another engine.
 */
export function toRequest(
  reading: Reading,
  details: Details,
  engine?: EngineInfo,
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
  const memory = can(engine, "memory_limit")
    ? number("memoryGb", 0.0625, "At least 0.0625 GB (64 MB).")
    : undefined;
  const cpus = can(engine, "cpu_limit") ? number("cpus", 0.1, "At least 0.1 cores.") : undefined;
  const pids = can(engine, "pids_limit") ? number("pids", 64, "At least 64.") : undefined;
  const place = outOfReach(reading, engine);
  if (place !== undefined) problems.source = place;
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
        gpu: details.gpu && can(engine, "gpu"),
        published_ports: can(engine, "published_ports") ? parsePorts(details.ports, problems) : [],
        env: parseEnv(details.env, problems),
      },
    },
  };
}

/** What lies on this machine cannot be had where the engine's machines are others. */
function outOfReach({ source }: Reading, engine: EngineInfo | undefined): string | undefined {
  if (engine === undefined || can(engine, "host_folders")) return undefined;
  if (source.kind === "folder")
    return `${engine.name} cannot mount folders of this machine: its containers run on others. Give a Git URL, or choose another engine.`;
  if (source.kind === "git" && isLocal(source.url))
    return `${engine.name} cannot reach a repository on this machine: its containers run on others. Give a Git URL that they reach, or choose another engine.`;
  return undefined;
}

const isLocal = (url: string) => /^(\/|file:|[A-Za-z]:[\\/])/i.test(url);

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
