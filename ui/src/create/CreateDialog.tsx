import { Dialog } from "@/components";
import { showOverlay, showWorkspace, useNavigation } from "@/state/navigation";
import { CreateForm } from "./CreateForm";

export function CreateDialog({ open }: { open: boolean }) {
  const initial = useNavigation((state) => state.createText);
  return (
    <Dialog open={open} onClose={() => showOverlay(undefined)} title="Create workspace" size="medium">
      <CreateForm
        autoFocus
        initial={initial}
        onCancel={() => showOverlay(undefined)}
        onCreated={(id) => {
          showOverlay(undefined);
          showWorkspace(id);
        }}
      />
    </Dialog>
  );
}
