import { CommandLine, Fold } from "@/components";
import { Prose } from "./Prose";
import { firstSentence, proseParts } from "./updates";

/** What a person is to do; each command has a line of its own, to be copied. */
export function Steps({ text }: { text: string }) {
  return (
    <div className="flex flex-col gap-1 pl-4.5 text-sm text-muted">
      <p className="break-words select-text">
        <Prose text={text} />
      </p>
      {proseParts(text)
        .filter(({ kind }) => kind === "command")
        .map(({ text: command }) => (
          <CommandLine key={command} command={command} />
        ))}
    </div>
  );
}

/** A problem of a program's: what it is, and folded away how it is mended. */
export function Problem({ text }: { text: string }) {
  const [first, rest] = firstSentence(text);
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <p className="break-words select-text">
        <Prose text={first} />
      </p>
      {rest !== "" && (
        <Fold small label="What to do">
          <Steps text={rest} />
        </Fold>
      )}
    </div>
  );
}
