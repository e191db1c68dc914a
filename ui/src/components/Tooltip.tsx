import { Tooltip as Radix } from "radix-ui";
import { type ReactElement, type ReactNode } from "react";
import { Kbd } from "./Kbd";

export interface TooltipProps {
  content: ReactNode;
  keys?: string | undefined;
  side?: "top" | "right" | "bottom" | "left";
  children: ReactElement;
}

/** Whether the focus moves because a key of movement was pressed: a dialog that gives it back asks for no tooltip. */
let movedByKey = false;
const MOVING = /^(Tab|Arrow|Home|End|F6)/;
window.addEventListener("keydown", ({ key }) => (movedByKey = MOVING.test(key)), true);
window.addEventListener("pointerdown", () => (movedByKey = false), true);

export function Tooltip({ content, keys, side = "bottom", children }: TooltipProps) {
  return (
    <Radix.Root>
      <Radix.Trigger
        asChild
        onFocus={(event) => {
          if (!movedByKey) event.preventDefault();
        }}
      >
        {children}
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          side={side}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 flex max-w-80 animate-appear items-center gap-2 rounded-md border border-line bg-raised px-2 py-1 text-sm text-fg shadow-pop"
        >
          {content}
          {keys !== undefined && <Kbd keys={keys} />}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export const TooltipProvider = ({ children }: { children: ReactNode }) => (
  <Radix.Provider delayDuration={500} skipDelayDuration={200}>
    {children}
  </Radix.Provider>
);
