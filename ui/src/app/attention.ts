/** Whether somebody is before the page: busy with it, not for a while, or it is not to be seen at all. */
export type Attention = "live" | "resting" | "away";

/** Time without a touch after which a page that is seen rests. */
export const REST_AFTER_MS = 60_000;
/** More often than this a touch need not be noted. */
const NOTE_EVERY_MS = 1000;

const TOUCHES = ["pointermove", "pointerdown", "wheel", "keydown"] as const;

/** What of the document is needed: it can be seen, and it is touched. */
export type Page = EventTarget & Pick<Document, "visibilityState">;

/** Tells the attention now and at every change; returns how to stop. */
export function followAttention(page: Page, tell: (attention: Attention) => void): () => void {
  let told: Attention | undefined;
  let touched = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const be = (attention: Attention) => {
    if (attention !== told) tell((told = attention));
  };
  const look = () => {
    clearTimeout(timer);
    touched = Date.now();
    if (page.visibilityState !== "visible") return be("away");
    be("live");
    timer = setTimeout(() => be("resting"), REST_AFTER_MS);
  };
  const touch = () => {
    if (told !== "live" || Date.now() - touched >= NOTE_EVERY_MS) look();
  };
  page.addEventListener("visibilitychange", look);
  for (const kind of TOUCHES) page.addEventListener(kind, touch, { capture: true, passive: true });
  look();
  return () => {
    clearTimeout(timer);
    page.removeEventListener("visibilitychange", look);
    for (const kind of TOUCHES) page.removeEventListener(kind, touch, { capture: true });
  };
}
