import { expect, it } from "vitest";
import { type EngineCapabilities, type EngineInfo, type Settings } from "@/protocol/generated";
import { NO_DETAILS, toRequest } from "./draft";
import { baseImage, engineFor, profilesOn } from "./engine";
import { recognise } from "./recognise";

const engine = (id: string, health: EngineInfo["health"], able: boolean): EngineInfo => ({
  id,
  kind: able ? "docker" : "kubernetes",
  name: id,
  endpoint: able ? "unix:///run/docker.sock" : `kubernetes://${id}`,
  health,
  notes: [],
  capabilities: new Proxy({} as EngineCapabilities, { get: () => able }),
});
const docker = engine("docker", "ready", true);
const lab = engine("lab", "ready", false);
const settings = (change: Partial<Settings>) => ({ clusters: {}, ...change }) as Settings;

it("takes the engine that was chosen, then the settings' one, then the first that is ready", () => {
  const engines = [engine("off", "off", false), docker, lab];
  expect(engineFor(engines, "lab", undefined)).toBe(lab);
  expect(engineFor(engines, undefined, settings({ default_engine: "lab" }))).toBe(lab);
  expect(engineFor(engines, undefined, settings({ default_engine: "off" }))).toBe(docker);
  expect(engineFor([], undefined, undefined)).toBeUndefined();
});

it.each(["/home/me/project", "/srv/git/project.git", "file:///srv/git/project", "C:\\Users\\me\\project"])(
  "refuses %s where the engine's machines are others",
  (text) => {
    for (const reading of recognise(text)) {
      expect(toRequest(reading, NO_DETAILS, lab).problems.source).toContain("lab cannot");
      expect(toRequest(reading, NO_DETAILS, docker).problems).toEqual({});
      expect(toRequest(reading, NO_DETAILS, engine("lab", "checking", false)).problems).toEqual({});
    }
  },
);

it("leaves out what the engine cannot do, whatever the fields still hold", () => {
  const [reading] = recognise("https://example.org/r.git");
  if (!reading) throw new Error("nothing recognised");
  const details = { ...NO_DETAILS, ports: "no port", pids: "1", memoryGb: "x", gpu: true };
  const { request, problems } = toRequest(reading, details, lab);
  expect(problems).toEqual({});
  expect(request.spec).toMatchObject({ published_ports: [], limits: {}, gpu: false });
});

it("says what a cluster's profiles and base image are", () => {
  const [standard, locked] = profilesOn(lab);
  expect(standard?.description).toContain("no sudo");
  expect(locked?.description).toContain("network plugin");
  expect(profilesOn(docker)[1]?.description).not.toContain("plugin");
  expect(baseImage(docker, settings({})).help).toContain("AiCockpit's base image");
  expect(baseImage(lab, settings({})).help).toContain("buildpack-deps");
});
