import { beforeEach, expect, it } from "vitest";
import { Client } from "@/client";
import { decodeFrame, encodeFrame, FrameKind } from "@/client/frame";
import { type Transport, type TransportHandlers } from "@/client/transport";
import { type Workspace } from "@/protocol/generated";
import { deleteAll, strandedOf } from "./deleting";

/** A host that takes every request down and answers it, with an error where it is told to. */
class Host implements Transport {
  readonly keysReserved = false;
  asked: string[] = [];
  refused: string[] = [];
  private handlers!: TransportHandlers;

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
    handlers.state({ kind: "connected" });
  }
  send(bytes: Uint8Array<ArrayBuffer>): void {
    const frame = decodeFrame(bytes);
    const { op, params } = JSON.parse(frame.json) as { op: string; params: { workspace: string } };
    const request = `${op} ${params.workspace}`;
    this.asked.push(request);
    const answer = this.refused.includes(request)
      ? { error: { code: "timed_out", message: "It is still there." } }
      : { ok: {} };
    queueMicrotask(() => this.handlers.frame(encodeFrame(FrameKind.Reply, frame.id, JSON.stringify(answer))));
  }
  retry(): void {
    this.handlers.state({ kind: "connected" });
  }
}

const workspace = (id: string, state: string) => ({ id, name: `the ${id}`, state }) as Workspace;
const workspaces = [workspace("pond", "stranded"), workspace("reeds", "running")];
let host: Host;
let client: Client;

beforeEach(() => {
  host = new Host();
  client = new Client(host);
});

it("lets go of what no machine answers for, and only where that is ticked", async () => {
  expect(strandedOf(workspaces).map(({ id }) => id)).toEqual(["pond"]);
  expect(await deleteAll(client, workspaces, false)).toEqual([]);
  expect(host.asked).toEqual(["workspace.delete pond", "workspace.delete reeds"]);
  host.asked = [];
  expect(await deleteAll(client, workspaces, true)).toEqual([]);
  expect(host.asked.filter((request) => request.endsWith(" pond"))).toEqual([
    "workspace.let_go pond",
    "workspace.delete pond",
  ]);
  expect(host.asked.filter((request) => request.endsWith(" reeds"))).toEqual(["workspace.delete reeds"]);
});

it("does not delete what was not let go, and names what stays", async () => {
  host.refused = ["workspace.let_go pond"];
  const failed = await deleteAll(client, workspaces, true);
  expect(failed).toMatchObject([{ name: "the pond", error: { message: "It is still there." } }]);
  expect(host.asked).not.toContain("workspace.delete pond");
  expect(host.asked).toContain("workspace.delete reeds");
});
