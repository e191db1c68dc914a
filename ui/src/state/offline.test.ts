import { expect, it } from "vitest";
import { type Profile, type Workspace, type WorkspaceState } from "@/protocol/generated";
import { isThisMachine, withNetwork } from "./offline";

it.each([
  ["http://127.0.0.1:8080/v1", true],
  ["http://localhost:11434/v1", true],
  ["http://models.localhost/v1", true],
  ["http://notlocalhost/v1", false],
  ["http://[::1]:1/v1", true],
  ["https://api.openai.com/v1", false],
  ["http://127.0.0.1.example/v1", false],
  ["http://localhost.example/v1", false],
  ["nonsense", false],
])("%s is of this machine: %s", (url, local) => expect(isThisMachine(url)).toBe(local));

it("workspaces with network are those that run and are not locked", () => {
  const workspace = (id: string, state: WorkspaceState, profile: Profile) =>
    ({ id, state, spec: { profile } }) as Workspace;
  const all = [
    workspace("a", "running", "standard"),
    workspace("b", "running", "locked"),
    workspace("c", "stopped", "standard"),
  ];
  expect(withNetwork(all).map(({ id }) => id)).toEqual(["a"]);
});
