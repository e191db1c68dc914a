import { type MenuEntry } from "@/components";
import { type Workspace } from "@/protocol/generated";
import { type Actions } from "./actions";

/** What a card and a table row get. */
export interface ItemProps {
  workspace: Workspace;
  /** The one item of the list that Tab reaches. */
  active: boolean;
  selected: boolean;
  /** Some are selected, so a click selects. */
  selecting: boolean;
  renaming: boolean;
  actions: Actions;
  menu: () => MenuEntry[];
  onToggle: () => void;
  onClick: (event: React.MouseEvent) => void;
  onFocus: () => void;
  onRenamed: (name: string | undefined) => void;
}
