import { useId, useState } from "react";
import { Input } from "@/components";
import { cx } from "@/lib/cx";

const WIDTHS = { small: "w-24", medium: "w-52 max-sm:w-full", large: "w-full" };

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
  placeholder,
  size = "medium",
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
  placeholder?: string;
  size?: keyof typeof WIDTHS;
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
        placeholder={placeholder}
        className={WIDTHS[size]}
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
      size="small"
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

/** A setting of several lines: kept when the field is left or by Ctrl+Enter, refused with a reason where it is wrong. */
export function LinesSetting({
  label,
  description,
  value,
  onCommit,
  check,
  placeholder,
}: {
  label: string;
  description: string;
  value: string;
  onCommit: (value: string) => void;
  /** What is wrong with a value, or undefined. */
  check: (value: string) => string | undefined;
  placeholder: string;
}) {
  const id = useId();
  const [draft, setDraft] = useState<string | undefined>();
  const text = draft ?? value;
  const problem = check(text);
  const commit = () => {
    if (draft === undefined || problem !== undefined) return;
    setDraft(undefined);
    if (draft !== value) onCommit(draft);
  };
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id}>{label}</label>
      <p
        id={`${id}-help`}
        className={cx("text-sm break-words", problem === undefined ? "text-faint" : "text-failed")}
      >
        {problem ?? description}
      </p>
      <textarea
        id={id}
        aria-describedby={`${id}-help`}
        aria-invalid={problem !== undefined || undefined}
        rows={Math.min(12, Math.max(2, text.split("\n").length))}
        value={text}
        placeholder={placeholder}
        spellCheck={false}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) commit();
          if (event.key === "Escape") setDraft(undefined);
        }}
        className={cx(
          "rounded-md border bg-canvas px-2 py-1 font-mono text-sm focus-visible:outline-1",
          problem === undefined ? "border-line-strong" : "border-failed",
        )}
      />
    </div>
  );
}
