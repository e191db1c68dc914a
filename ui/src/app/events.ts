import { type QueryClient } from "@tanstack/react-query";
import { callKey, type Client, type OperationName, type Params, type Reply } from "@/client";
import { type Event } from "@/protocol/generated";
import { useLinks } from "@/state/links";
import { closeTab } from "@/state/navigation";
import { addSamples, resetSamples } from "@/state/samples";
import { followSamples } from "./sampling";

/** Keeps the query cache true: pushed events change it, a reconnect asks for everything again. */
export function followHost(client: Client, queries: QueryClient): () => void {
  let before = client.state.kind;
  const stopSamples = followSamples(client, document);
  const stopEvents = client.onEvent((event) => applyEvent(queries, event));
  const stopState = client.onState((state) => {
    if (state.kind === "connected" && before === "reconnecting") refetchAll(queries);
    before = state.kind;
  });
  return () => {
    stopSamples();
    stopEvents();
    stopState();
  };
}

function refetchAll(queries: QueryClient): void {
  resetSamples();
  useLinks.setState({}, true);
  void queries.invalidateQueries();
}

function applyEvent(queries: QueryClient, event: Event): void {
  function update<O extends OperationName>(
    op: O,
    params: Params<O>,
    change: (old: Reply<O>) => Reply<O>,
  ): void {
    const queryKey = callKey(op, params);
    // An answer under way may be older than this event.
    if (queries.isFetching({ queryKey, exact: true }) > 0)
      void queries.invalidateQueries({ queryKey, exact: true });
    else queries.setQueryData<Reply<O>>(queryKey, (old) => (old === undefined ? old : change(old)));
  }

  switch (event.kind) {
    case "engine":
      update("engine.list", {}, (old) => replace(old, event.engine));
      return;
    case "engine_gone":
      update("engine.list", {}, (old) => old.filter((engine) => engine.id !== event.engine));
      return;
    case "workspace":
      update("workspace.list", {}, (old) => replace(old, event.workspace));
      return;
    case "workspace_gone":
      update("workspace.list", {}, (old) => old.filter((workspace) => workspace.id !== event.workspace));
      closeTab(event.workspace);
      return;
    case "plan":
      update("workspace.list", {}, (old) =>
        old.map((workspace) =>
          workspace.id === event.workspace ? { ...workspace, plan: event.plan } : workspace,
        ),
      );
      return;
    case "plan_log":
      update("workspace.plan_log", { workspace: event.workspace }, (old) => [...old, event.log]);
      return;
    case "samples":
      addSamples(event.samples);
      return;
    case "link":
      useLinks.setState({ [event.workspace]: event.link });
      return;
    case "terminals":
      queries.setQueryData(callKey("terminal.list", { workspace: event.workspace }), event.terminals);
      return;
    case "ports":
      queries.setQueryData(callKey("port.list", { workspace: event.workspace }), event.ports);
      return;
    case "settings":
      update("settings.get", {}, () => event.settings);
      return;
    case "local_models":
      queries.setQueryData(callKey("local_models.servers", {}), event.servers);
      return;
    case "local_model_updates":
      queries.setQueryData(callKey("local_models.updates", {}), event.updates);
      // A program or an image is another one then.
      if (event.updates.some(({ phase }) => phase.kind === "done"))
        void queries.invalidateQueries({ queryKey: callKey("local_models.scan", {}) });
      return;
    case "files":
    case "usage":
      // Only who looks at it cares; it listens itself.
      return;
    case "resync":
      refetchAll(queries);
      return;
  }
}

function replace<T extends { id: string }>(list: readonly T[], item: T): T[] {
  return list.some((entry) => entry.id === item.id)
    ? list.map((entry) => (entry.id === item.id ? item : entry))
    : [...list, item];
}
