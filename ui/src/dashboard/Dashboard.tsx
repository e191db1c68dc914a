import { ErrorState, Loading, Skeleton } from "@/components";
import { useWorkspaces } from "@/state/workspaces";
import { FirstRun } from "./FirstRun";
import { WorkspaceBrowser } from "./WorkspaceBrowser";

/** The home screen: all workspaces, or how to make the first one. */
export function Dashboard() {
  const list = useWorkspaces();
  if (list.isError) {
    return (
      <div className="p-6">
        <h1 className="sr-only">Workspaces</h1>
        <ErrorState
          title="The workspaces could not be listed"
          error={list.error}
          onRetry={() => void list.refetch()}
        />
      </div>
    );
  }
  if (!list.data) {
    return (
      <Loading>
        <h1 className="sr-only">Workspaces</h1>
        <div className="grid grid-cols-1 gap-3 p-4 pt-14 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
          {Array.from({ length: 8 }, (_, i) => (
            <div key={i} className="flex h-46 flex-col gap-3 rounded-md border border-line p-3">
              <Skeleton className="h-4 w-2/3" />
              <Skeleton className="h-3 w-1/2" />
              <Skeleton className="mt-auto h-8" />
            </div>
          ))}
        </div>
      </Loading>
    );
  }
  return list.data.length === 0 ? <FirstRun /> : <WorkspaceBrowser workspaces={list.data} />;
}
