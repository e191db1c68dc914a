import { useState } from "react";

/** A workspace's name being changed in place: Enter keeps it, Escape does not, leaving keeps it. */
export function RenameField({ name, onDone }: { name: string; onDone: (name: string | undefined) => void }) {
  const [text, setText] = useState(name);
  return (
    <input
      autoFocus
      aria-label={`New name of ${name}`}
      value={text}
      maxLength={64}
      spellCheck={false}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onClick={(event) => event.stopPropagation()}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") onDone(text.trim());
        if (event.key === "Escape") onDone(undefined);
      }}
      onBlur={() => onDone(text.trim())}
      className="h-5 min-w-0 flex-1 rounded-sm border border-focus bg-canvas px-1 text-base text-fg focus-visible:outline-1 focus-visible:outline-offset-0"
    />
  );
}
