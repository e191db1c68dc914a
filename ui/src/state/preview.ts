import { type WorkspaceId } from "@/protocol/generated";
import { usePersisted } from "./persisted";

/** What a workspace looked like when it was last in view: a webview cannot photograph itself. */
export interface Preview {
  /** The last terminal's screen as plain text, at most 24 lines of 100 characters. */
  lines: string[];
  /** The file in front, relative to the workspace folder. */
  file?: string;
}

const NONE: Preview = { lines: [] };

export function previewKey(workspace: WorkspaceId): string {
  return `workspace/${workspace}/preview`;
}

/** The last look of a workspace; the open cockpit writes it under `previewKey`. */
export function usePreview(workspace: WorkspaceId): Preview {
  return usePersisted<Preview>(previewKey(workspace), NONE)[0];
}
