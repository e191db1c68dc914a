import { toast, toastError } from "@/components";
import { type CockpitSession } from "../session/session";
import { type UndoStep } from "../session/undo";

/** Says that files were changed, with the button that takes it back; the message goes with what it says. */
export function tellUndoable(session: CockpitSession, message: string, step: UndoStep, hint?: string): void {
  let dismiss = () => {};
  const kept: UndoStep = {
    label: step.label,
    run: () => {
      dismiss();
      return step.run();
    },
  };
  session.fileUndo.push(kept);
  dismiss = toast({
    topic: "files",
    message,
    hint,
    action: { label: "Undo", run: () => void session.fileUndo.undo(kept).catch(toastError) },
  });
}
