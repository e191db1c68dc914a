import { expect, it } from "vitest";
import { type EngineInfo, type Workspace } from "@/protocol/generated";
import { losingOnStop } from "./stopping";

const engine = (id: string, health: string, keeps_root: boolean) =>
  ({ id, health, capabilities: { keeps_root } }) as EngineInfo;
const engines = [
  engine("docker", "ready", true),
  engine("lab", "ready", false),
  engine("new", "checking", false),
];
const workspace = (id: string, on: string, state: string) => ({ id, engine: on, state }) as Workspace;

it("asks of workspaces that run where only the volume stays", () => {
  const asked = losingOnStop(
    [
      workspace("a", "docker", "running"),
      workspace("b", "lab", "running"),
      workspace("c", "lab", "starting"),
      workspace("d", "new", "running"),
      workspace("e", "gone", "running"),
    ],
    engines,
  );
  expect(asked.map(({ id }) => id)).toEqual(["b"]);
});
