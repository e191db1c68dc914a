import {
  Clipboard,
  Columns2,
  Copy,
  Download,
  FilePlus,
  FolderPlus,
  Pencil,
  Scissors,
  Search,
  SquareTerminal,
  Trash2,
  Undo2,
  Upload,
} from "lucide-react";
import { toastError, type MenuEntry } from "@/components";
import { type CockpitSession } from "../session/session";
import { downloadEntry } from "./download";
import { copyText, deleteEntries, relativeTo } from "./entries";
import { paste } from "./keys";
import { chooseUpload } from "./upload";

/** What can be done with the chosen entries of the tree; with the whole folder where none is chosen. */
export function menuFor(session: CockpitSession): MenuEntry[] {
  const { tree, fileUndo } = session;
  const { chosen, focused } = tree;
  const node = focused === undefined ? undefined : tree.node(focused);
  const one = chosen.length === 1 ? node : undefined;
  const undoable = fileUndo.next;
  return [
    one &&
      !one.directory && {
        label: "Open to the side",
        icon: <Columns2 size={14} />,
        onSelect: () => session.groups.open(one.path, { beside: true, keep: true }),
      },
    ...makingEntries(session),
    "separator",
    node && {
      label: "Cut",
      icon: <Scissors size={14} />,
      keys: "Mod+X",
      onSelect: () => tree.setClipboard({ paths: chosen, cut: true }),
    },
    node && {
      label: "Copy",
      icon: <Copy size={14} />,
      keys: "Mod+C",
      onSelect: () => tree.setClipboard({ paths: chosen, cut: false }),
    },
    {
      label: "Paste",
      icon: <Clipboard size={14} />,
      keys: "Mod+V",
      disabled: !tree.clipboard,
      onSelect: () => paste(session),
    },
    undoable && {
      label: `Undo: ${undoable.label}`,
      icon: <Undo2 size={14} />,
      keys: "Mod+Z",
      onSelect: () => void fileUndo.undo(undoable).catch(toastError),
    },
    "separator",
    one && { label: "Copy path", onSelect: () => void copyText(one.path) },
    one && { label: "Copy relative path", onSelect: () => void copyText(relativeTo(session, one.path)) },
    {
      label: "Upload files…",
      icon: <Upload size={14} />,
      onSelect: () => chooseUpload(session, tree.target),
    },
    one && {
      label: one.directory ? "Download as tar archive" : "Download",
      icon: <Download size={14} />,
      onSelect: () => void downloadEntry(session, one.path, one.directory),
    },
    "separator",
    one && {
      label: "Rename",
      icon: <Pencil size={14} />,
      keys: "F2",
      onSelect: () => tree.startEdit({ kind: "rename", path: one.path }),
    },
    node && {
      label: chosen.length > 1 ? `Delete ${chosen.length} items` : "Delete",
      icon: <Trash2 size={14} />,
      keys: "Delete",
      danger: true,
      onSelect: () => void deleteEntries(session, chosen),
    },
  ];
}

/** What is made in the folder that is meant, or looked for there. */
function makingEntries(session: CockpitSession): MenuEntry[] {
  const { tree } = session;
  const { target } = tree;
  return [
    {
      label: "New file",
      icon: <FilePlus size={14} />,
      onSelect: () => tree.startEdit({ kind: "create", parent: target, directory: false }),
    },
    {
      label: "New folder",
      icon: <FolderPlus size={14} />,
      onSelect: () => tree.startEdit({ kind: "create", parent: target, directory: true }),
    },
    "separator",
    {
      label: "Open in terminal",
      icon: <SquareTerminal size={14} />,
      onSelect: () => void session.newTerminal({ directory: target }).catch(toastError),
    },
    {
      label: "Find in folder",
      icon: <Search size={14} />,
      onSelect: () =>
        session.openSearch(undefined, target === tree.root ? "" : `./${relativeTo(session, target)}`),
    },
  ];
}
