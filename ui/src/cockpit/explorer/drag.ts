/** Files of the tree on their way to another folder, an editor or a terminal. */
export const DRAGGED_PATHS = "application/x-aicockpit-paths";

export function writeDragged(data: DataTransfer, workspace: string, paths: readonly string[]): void {
  data.setData(DRAGGED_PATHS, JSON.stringify({ workspace, paths }));
  data.setData("text/plain", paths.join("\n"));
}

/** The paths that are dropped; undefined where it is something else, or of another workspace. */
export function readDragged(data: DataTransfer, workspace: string): string[] | undefined {
  const text = data.getData(DRAGGED_PATHS);
  if (text === "") return undefined;
  const dragged = JSON.parse(text) as { workspace: string; paths: string[] };
  return dragged.workspace === workspace ? dragged.paths : [];
}
