import { sentence } from "@/client";

/** A sentence of the host's: what stands between backticks is code. */
export function Prose({
  text,
  keep = "",
}: {
  text: string;
  /** A name that it may begin with, which is left as it is. */
  keep?: string;
}) {
  const told =
    keep !== "" && text.startsWith(keep) ? keep + sentence(text).slice(keep.length) : sentence(text);
  return told.split("`").map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <code key={index} className="font-mono text-xs text-fg">
        {part}
      </code>
    ),
  );
}
