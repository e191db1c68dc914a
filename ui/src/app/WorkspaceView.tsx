import { lazy, Suspense, useState } from "react";
import { persistently } from "@/lib/persistently";
import { EmptyState, Button, ErrorState, Loading, Skeleton } from "@/components";
import { CreationView } from "@/create/CreationView";
import { type WorkspaceId } from "@/protocol/generated";
import { closeTab } from "@/state/navigation";
import { useWorkspace, useWorkspaces } from "@/state/workspaces";
import { WorkspaceTrouble } from "./WorkspaceTrouble";

const Cockpit = lazy(() =>
  persistently(() => import("@/cockpit/Cockpit")).then((module) => ({ default: module.Cockpit })),
);

/** A tab's content: the cockpit, or what stands in its way. */
export function WorkspaceView({ id }: { id: WorkspaceId }) {
  const list = useWorkspaces();
  const workspace = useWorkspace(id);
  const state = workspace?.state;
  const usable =
    state === "running" ||
    state === "starting" ||
    state === "stopped" ||
    state === "paused" ||
    state === "stopping";
  // Once opened it stays, so that nothing unsaved is lost while its engine is away; it shows that itself.
  const [opened, setOpened] = useState(false);
  if (usable && !opened) setOpened(true);

  if (workspace === undefined) {
    if (list.isError) {
      return (
        <div className="p-6">
          <ErrorState
            title="The workspace could not be read"
            error={list.error}
            onRetry={() => void list.refetch()}
          />
        </div>
      );
    }
    if (list.data === undefined) return <CockpitSkeleton />;
    return (
      <EmptyState
        title="This workspace no longer exists"
        heading="h1"
        action={<Button onClick={() => closeTab(id)}>Close tab</Button>}
      >
        It was deleted, here or elsewhere.
      </EmptyState>
    );
  }
  if (state === "creating" || state === "failed") return <CreationView workspace={workspace} />;
  if (!opened || state === "lost" || state === "deleting") return <WorkspaceTrouble workspace={workspace} />;
  return (
    <Suspense fallback={<CockpitSkeleton />}>
      <Cockpit workspaceId={id} />
    </Suspense>
  );
}

function CockpitSkeleton() {
  return (
    <Loading>
      <div className="flex h-full gap-px">
        <div className="flex w-60 flex-col gap-2 bg-surface p-3">
          {[60, 80, 50, 70, 65].map((width) => (
            <div key={width} style={{ width: `${width}%` }}>
              <Skeleton className="h-4" />
            </div>
          ))}
        </div>
        <div className="flex-1" />
      </div>
    </Loading>
  );
}
