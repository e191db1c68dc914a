import { useEffect, useState } from "react";

/** The present, renewed every `intervalMs`; several users at the same interval tick together closely enough. */
export function useNow(intervalMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), intervalMs);
    return () => window.clearInterval(timer);
  }, [intervalMs]);
  return now;
}

/** True once `active` has lasted `delayMs`: what takes less is not worth a skeleton or a spinner. */
export function useDelayed(active: boolean, delayMs = 150): boolean {
  const [passed, setPassed] = useState(false);
  useEffect(() => {
    if (!active) return;
    const timer = window.setTimeout(() => setPassed(true), delayMs);
    return () => {
      window.clearTimeout(timer);
      setPassed(false);
    };
  }, [active, delayMs]);
  return active && passed;
}
