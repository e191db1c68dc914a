import { useCommands } from "@/commands";
import { type CockpitSession } from "../session/session";
import { useNoRoot } from "../useNoRoot";
import { editorCommands } from "./editor";
import { fileCommands } from "./files";
import { terminalCommands } from "./terminals";
import { viewCommands } from "./view";

/** Everything that can be done in a workspace, for the palette, menus and keys. */
export function useCockpitCommands(session: CockpitSession, active: boolean): void {
  const root = useNoRoot(session.workspace) === undefined;
  useCommands(
    [
      ...viewCommands(session),
      ...fileCommands(session),
      ...editorCommands(session),
      ...terminalCommands(session, root),
    ],
    active,
  );
}
