import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { type ReactNode } from "react";
import { cx } from "@/lib/cx";
import { returnFocus } from "@/lib/focus";
import { IconButton } from "./Button";

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  /** Buttons, the chosen way last. */
  footer?: ReactNode;
  size?: "small" | "medium" | "large";
  children?: ReactNode;
  /** Called as focus would go to the first control; prevent it to choose another. */
  onOpenAutoFocus?: (event: globalThis.Event) => void;
}

const SIZES = { small: "max-w-105", medium: "max-w-140", large: "max-w-200" };

export function Dialog({
  open,
  onClose,
  title,
  description,
  footer,
  size = "small",
  children,
  onOpenAutoFocus,
}: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 animate-appear bg-overlay" />
        <Radix.Content
          className={cx(
            "fixed inset-x-3 top-[12vh] z-40 mx-auto flex max-h-[76vh] animate-rise flex-col rounded-md border border-line bg-raised shadow-pop focus-visible:outline-none",
            SIZES[size],
          )}
          onCloseAutoFocus={returnFocus}
          {...(onOpenAutoFocus ? { onOpenAutoFocus } : {})}
          {...(description === undefined ? { "aria-describedby": undefined } : {})}
        >
          <header className="py-3 pr-12 pl-4 pb-2">
            <div className="min-w-0">
              <Radix.Title className="text-lg font-semibold text-fg">{title}</Radix.Title>
              {description !== undefined && (
                <Radix.Description className="text-base text-muted">{description}</Radix.Description>
              )}
            </div>
          </header>
          <div className="min-h-0 flex-1 overflow-auto px-4 pb-4">{children}</div>
          {footer !== undefined && (
            <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-4 py-3">
              {footer}
            </footer>
          )}
          {/* Last in order: the first Tab stop is the content, not the way out. */}
          <span className="absolute top-3 right-3">
            <IconButton label="Close" icon={<X size={16} />} size="small" onClick={onClose} />
          </span>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
