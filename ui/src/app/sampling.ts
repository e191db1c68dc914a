import { type Client } from "@/client";
import { type Attention, followAttention, type Page } from "./attention";

/** Between two looks at what workspaces use while the page rests. */
export const REST_EVERY_MS = 10_000;
/** Time within which a look has its answer; where nothing runs there is none. */
const ANSWER_WITHIN_MS = 3000;

type Host = Pick<Client, "state" | "call" | "onEvent" | "onState">;

/**
 * Asks the host to measure workspaces as long as somebody looks: all the time while the page is in use, now and then
 * while it rests, never while it is hidden. Returns how to stop.
 */
export function followSamples(client: Host, page: Page): () => void {
  let attention: Attention = "away";
  let asked = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = (on: boolean) => {
    if (client.state.kind !== "connected" || on === asked) return;
    asked = on;
    client.call("workspace.watch_samples", { on }).catch(() => undefined);
  };
  const rest = () => {
    clearTimeout(timer);
    ask(false);
    timer = setTimeout(lookOnce, REST_EVERY_MS);
  };
  const lookOnce = () => {
    ask(true);
    timer = setTimeout(rest, ANSWER_WITHIN_MS);
  };
  const obey = () => {
    clearTimeout(timer);
    if (attention === "resting") rest();
    else ask(attention === "live");
  };

  const stops = [
    client.onEvent((event) => {
      if (event.kind === "samples" && attention === "resting" && asked) rest();
    }),
    client.onState((state) => {
      // A host that was lost knows nothing of what was asked of it.
      if (state.kind !== "connected") asked = false;
      else obey();
    }),
    followAttention(page, (now) => {
      attention = now;
      obey();
    }),
  ];
  return () => {
    clearTimeout(timer);
    for (const stop of stops) stop();
  };
}
