import { visible } from "./visible";

/** Text of others: shown as it is, never drawn; characters that would not be seen stand by their names. */
export function PlainText({ text }: { text: string }) {
  return (
    <pre
      // Scrollable text must be reachable by keyboard.
      tabIndex={0}
      dir="ltr"
      className="max-h-80 overflow-auto rounded-md border border-line bg-canvas p-2 font-mono text-sm break-words whitespace-pre-wrap text-fg"
    >
      {text === "" ? (
        <span className="text-faint">Nothing</span>
      ) : (
        visible(text).map((piece, index) =>
          "text" in piece ? (
            piece.text
          ) : (
            <span
              key={index}
              title="A character that cannot be seen"
              className="rounded-sm bg-starting-soft px-0.5 text-xs text-starting"
            >
              {piece.hidden}
            </span>
          ),
        )
      )}
    </pre>
  );
}
