import { useRef, useState, type DragEvent } from "react";
import { dirname } from "../model/path";
import { type TreeRow } from "../model/tree";
import { useSession } from "../session/context";
import { DRAGGED_PATHS, readDragged } from "./drag";
import { placeEntries } from "./entries";
import { droppedFiles, uploadFiles } from "./upload";

/** A closed folder opens when something is held over it this long. */
const OPEN_FOLDER_MS = 600;

export interface DropTarget {
  /** The folder that a drop would go to now. */
  on: string | undefined;
  /** The handlers of a row; of the tree itself without one. */
  handlers: (row: TreeRow | undefined) => {
    onDragOver: (event: DragEvent) => void;
    onDrop: (event: DragEvent) => void;
  };
  leave: (event: DragEvent) => void;
}

/** The folder that a row stands for as the target of a drop. */
function directoryOf(row: TreeRow | undefined, root: string): string {
  if (!row) return root;
  if (row.kind !== "node") return row.parent;
  return row.node.directory ? row.node.path : dirname(row.node.path);
}

/** Takes entries of the tree, which are moved or copied, and files of this machine, which are uploaded. */
export function useDropTarget(): DropTarget {
  const session = useSession();
  const { tree } = session;
  const [on, setOn] = useState<string>();
  const openTimer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const onDragOver = (event: DragEvent, row: TreeRow | undefined) => {
    const { types } = event.dataTransfer;
    const fromOutside = types.includes("Files");
    if (!types.includes(DRAGGED_PATHS) && !fromOutside) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = fromOutside || event.ctrlKey || event.altKey ? "copy" : "move";
    const target = directoryOf(row, tree.root);
    if (target === on) return;
    setOn(target);
    clearTimeout(openTimer.current);
    if (target !== tree.root && !tree.isExpanded(target))
      openTimer.current = setTimeout(() => void tree.expand(target), OPEN_FOLDER_MS);
  };
  const onDrop = (event: DragEvent, row: TreeRow | undefined) => {
    event.preventDefault();
    event.stopPropagation();
    clearTimeout(openTimer.current);
    setOn(undefined);
    const target = directoryOf(row, tree.root);
    const dragged = readDragged(event.dataTransfer, session.workspace);
    if (dragged) {
      void placeEntries(session, dragged, target, event.ctrlKey || event.altKey);
      return;
    }
    void droppedFiles(event.dataTransfer).then((files) => uploadFiles(session, target, files));
  };
  return {
    on,
    handlers: (row) => ({
      onDragOver: (event) => onDragOver(event, row),
      onDrop: (event) => onDrop(event, row),
    }),
    leave: (event) => {
      if (event.currentTarget.contains(event.relatedTarget as Node | null)) return;
      clearTimeout(openTimer.current);
      setOn(undefined);
    },
  };
}
