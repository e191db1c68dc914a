import { useId, useState } from "react";
import { Input } from "@/components";
import { cx } from "@/lib/cx";

/** A setting with a text field: kept on Enter or when the field is left, refused with a reason where it is wrong. */
export function TextSetting({
  label,
  description,
  value,
  onCommit,
  check,
  mono = false,
  unit,
  inputMode,
  narrow = false,
}: {
  label: string;
  description?: string;
  value: string;
  onCommit: (value: string) => void;
  /** What is wrong with a value, or undefined. */
  check: (value: string) => string | undefined;
  mono?: boolean;
  unit?: string;
  inputMode?: "numeric";
  narrow?: boolean;
}) {
  const id = useId();
  const [draft, setDraft] = useState<string | undefined>();
  const text = draft ?? value;
  const problem = check(text.trim());
  const commit = () => {
    if (draft === undefined || problem !== undefined) return;
    setDraft(undefined);
    if (draft.trim() !== value) onCommit(draft.trim());
  };
  return (
    <div
      className={cx(
        "flex flex-wrap justify-between gap-x-4 gap-y-1",
        problem === undefined && description === undefined ? "items-center" : "items-start",
      )}
    >
      <div className="min-w-0 flex-1 basis-52">
        <label htmlFor={id}>{label}</label>
        <p id={`${id}-help`} className={cx("text-sm", problem === undefined ? "text-faint" : "text-failed")}>
          {problem ?? description}
        </p>
      </div>
      <Input
        id={id}
        aria-describedby={`${id}-help`}
        value={text}
        mono={mono}
        invalid={problem !== undefined}
        inputMode={inputMode}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setDraft(undefined);
        }}
        trailing={unit !== undefined && <span className="text-sm text-faint">{unit}</span>}
        className={narrow ? "w-24" : "w-52"}
      />
    </div>
  );
}

/** A whole number within a range. */
export function NumberSetting({
  min,
  max,
  value,
  onCommit,
  ...rest
}: {
  label: string;
  description?: string;
  value: number;
  onCommit: (value: number) => void;
  min: number;
  max: number;
  unit?: string;
}) {
  return (
    <TextSetting
      {...rest}
      narrow
      inputMode="numeric"
      value={String(value)}
      check={(text) => {
        const number = Number(text);
        return Number.isInteger(number) && number >= min && number <= max && text !== ""
          ? undefined
          : `A whole number from ${min} to ${max}.`;
      }}
      onCommit={(text) => onCommit(Number(text))}
    />
  );
}
