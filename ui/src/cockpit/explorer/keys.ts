import { type KeyboardEvent } from "react";
import { toastError } from "@/components";
import { type CockpitSession } from "../session/session";
import { deleteEntries, placeEntries } from "./entries";

/** Rows that Page up and Page down go over. */
const PAGE = 20;

/** Puts what was cut or copied where the focus is. */
export function paste(session: CockpitSession): void {
  const { tree } = session;
  const { clipboard } = tree;
  if (!clipboard) return;
  void placeEntries(session, clipboard.paths, tree.target, !clipboard.cut);
  if (clipboard.cut) tree.setClipboard(undefined);
}

/** Does what a key means in the tree; false where it means nothing there. */
function act(session: CockpitSession, event: KeyboardEvent): boolean {
  const { ctrlKey, metaKey, altKey, shiftKey } = event;
  if (altKey) return false;
  return ctrlKey || metaKey
    ? !shiftKey && withControl(session, event.key)
    : goTo(session, event) || change(session, event.key);
}

function withControl(session: CockpitSession, key: string): boolean {
  const { tree } = session;
  if (key === "c" || key === "x") tree.setClipboard({ paths: tree.chosen, cut: key === "x" });
  else if (key === "v") paste(session);
  else if (key === "a") tree.selectAll();
  else if (key === "z") session.fileUndo.undo().catch(toastError);
  else return false;
  return true;
}

function goTo(session: CockpitSession, { key, shiftKey }: KeyboardEvent): boolean {
  const { tree } = session;
  if (key === "ArrowDown") tree.moveFocus(1, shiftKey);
  else if (key === "ArrowUp") tree.moveFocus(-1, shiftKey);
  else if (key === "PageDown") tree.moveFocus(PAGE, shiftKey);
  else if (key === "PageUp") tree.moveFocus(-PAGE, shiftKey);
  else if (key === "Home") tree.focusEdge(false);
  else if (key === "End") tree.focusEdge(true);
  else if (key === "ArrowLeft") void tree.left();
  else if (key === "ArrowRight") void tree.right();
  else return false;
  return true;
}

function change(session: CockpitSession, key: string): boolean {
  const { tree } = session;
  const node = tree.focused === undefined ? undefined : tree.node(tree.focused);
  if ((key === "Enter" || key === " ") && node) {
    if (node.directory) void tree.toggle(node.path);
    else session.groups.open(node.path, key === "Enter" ? { keep: true } : { quiet: true });
  } else if (key === "Delete" || (key === "Backspace" && /Mac/.test(navigator.userAgent))) {
    void deleteEntries(session, tree.chosen);
  } else if (key === "F2" && node) tree.startEdit({ kind: "rename", path: node.path });
  else if (key === "Escape" && tree.clipboard) tree.setClipboard(undefined);
  else if (key.length === 1 && key !== "*") tree.typeAhead(key, performance.now());
  else return false;
  return true;
}

/** The keys of the tree. */
export function onTreeKey(session: CockpitSession, event: KeyboardEvent): void {
  if (event.defaultPrevented || session.tree.edit || !act(session, event)) return;
  event.preventDefault();
  event.stopPropagation();
}
