import { keyParts } from "@/commands/keys";

/** Keys as caps, in the words of the platform; takes the registry's notation (`Mod+Shift+P`). */
export function Kbd({ keys }: { keys: string }) {
  return (
    <kbd className="inline-flex items-center gap-1 font-sans text-xs text-faint">
      {keyParts(keys).map((stroke, index) => (
        <span key={index} className="inline-flex gap-px">
          {stroke.map((part) => (
            <span
              key={part}
              className="inline-flex h-4 min-w-4 items-center justify-center rounded-sm border border-line bg-surface px-1 leading-none text-muted"
            >
              {part}
            </span>
          ))}
        </span>
      ))}
    </kbd>
  );
}
