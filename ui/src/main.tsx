import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./theme/base.css";
import { App } from "./app/App";
import { followHost } from "./app/events";
import { ClientContext, toCallError } from "./client";
import { connect } from "./client/connect";
import { Boundary } from "./cockpit/Boundary";
import { isMac } from "./commands/keys";
import { listenToKeys, setKeysReserved } from "./commands/registry";
import { TooltipProvider } from "./components";
import { followAddress } from "./state/navigation";
import { startTheme } from "./theme/theme";

async function start(root: HTMLElement): Promise<void> {
  startTheme();
  const client = await connect();
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        // Events say when something changed; nothing grows stale by age.
        staleTime: Infinity,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
        // A broken connection is mended below, and then everything is asked again.
        retry: (failures, error) => toCallError(error).code === "timed_out" && failures < 2,
      },
      mutations: { networkMode: "always" },
    },
  });
  setKeysReserved(client.keysReserved);
  followHost(client, queries);
  followAddress();
  listenToKeys(isMac);
  createRoot(root).render(
    <StrictMode>
      <ClientContext value={client}>
        <QueryClientProvider client={queries}>
          <TooltipProvider>
            <Boundary name="AiCockpit" reloads>
              <App />
            </Boundary>
          </TooltipProvider>
        </QueryClientProvider>
      </ClientContext>
    </StrictMode>,
  );
}

const root = document.getElementById("root");
if (root) void start(root);
