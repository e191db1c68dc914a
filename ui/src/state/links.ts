import { create } from "zustand";
import { type LinkState, type WorkspaceId } from "@/protocol/generated";

const IDLE: LinkState = { kind: "idle" };

export const useLinks = create<Record<WorkspaceId, LinkState>>(() => ({}));

/** The state of the connection to a workspace's agent. */
export function useLink(workspace: WorkspaceId): LinkState {
  return useLinks((links) => links[workspace] ?? IDLE);
}
