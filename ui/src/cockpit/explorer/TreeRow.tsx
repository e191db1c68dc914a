import { ChevronRight, CornerDownRight } from "lucide-react";
import { useEffect, useRef, useState, type HTMLAttributes } from "react";
import { cx } from "@/lib/cx";
import { type GitChange } from "@/protocol/generated";
import { GIT_LETTERS, GIT_WORDS } from "../model/git";
import { nameProblem, shown } from "../model/path";
import { type TreeNode } from "../model/tree";
import { FileIcon, FolderIcon } from "./icons";

export const ROW_HEIGHT = 22;
const INDENT = 12;

const GIT_COLOURS: Record<GitChange, string> = {
  modified: "text-starting",
  added: "text-running",
  deleted: "text-failed",
  renamed: "text-running",
  untracked: "text-running",
  ignored: "text-faint",
  conflicted: "text-failed",
};

function Guides({ depth }: { depth: number }) {
  return Array.from({ length: depth }, (_, level) => (
    <span
      key={level}
      aria-hidden
      className="absolute inset-y-0 w-px bg-line opacity-0 transition-opacity group-hover/tree:opacity-100"
      style={{ left: 14 + level * INDENT }}
    />
  ));
}

interface NodeRowProps extends HTMLAttributes<HTMLDivElement> {
  node: TreeNode;
  expanded: boolean;
  loading: boolean;
  focused: boolean;
  selected: boolean;
  treeFocused: boolean;
  cut: boolean;
  dropTarget: boolean;
  change: GitChange | undefined;
  position: number;
}

export function NodeRow(props: NodeRowProps) {
  const {
    node,
    expanded,
    loading,
    focused,
    selected,
    treeFocused,
    cut,
    dropTarget,
    change,
    position,
    ...rest
  } = props;
  const word = change && GIT_WORDS[change];
  return (
    <div
      {...rest}
      id={`row-${position}`}
      role="treeitem"
      aria-level={node.depth + 1}
      aria-selected={selected}
      aria-expanded={node.directory ? expanded : undefined}
      aria-busy={loading || undefined}
      aria-label={word ? `${shown(node.name)}, ${word}` : shown(node.name)}
      tabIndex={-1}
      draggable
      title={`${shown(node.path)}${word ? ` • ${word}` : ""}`}
      className={cx(
        "relative flex h-full items-center gap-1.5 pr-2 text-base whitespace-nowrap",
        selected ? (treeFocused ? "bg-selected" : "bg-active") : "hover:bg-hover",
        focused && treeFocused && "outline outline-1 -outline-offset-1 outline-focus",
        dropTarget && "bg-selected",
        cut && "opacity-50",
        change === "ignored" && (selected ? "text-muted" : "text-faint"),
      )}
      style={{ paddingLeft: 8 + node.depth * INDENT }}
    >
      <Guides depth={node.depth} />
      <span className="flex w-3.5 shrink-0 justify-center text-faint">
        {node.directory && (
          <ChevronRight
            size={14}
            className={cx("transition-transform", expanded && "rotate-90")}
            aria-hidden
          />
        )}
      </span>
      {node.directory ? <FolderIcon open={expanded} /> : <FileIcon path={node.name} />}
      <span className={cx("min-w-0 truncate", change && change !== "ignored" && GIT_COLOURS[change])}>
        {shown(node.name)}
      </span>
      {node.link && <CornerDownRight size={12} className="shrink-0 text-faint" aria-label="Symbolic link" />}
      {change && change !== "ignored" && (
        <span aria-hidden className={cx("ml-auto pl-1 text-xs font-medium", GIT_COLOURS[change])}>
          {node.directory ? "•" : GIT_LETTERS[change]}
        </span>
      )}
    </div>
  );
}

interface NameRowProps {
  position: number;
  depth: number;
  directory: boolean;
  initial: string;
  label: string;
  /** Rejects with the reason where the name cannot be used. */
  submit: (name: string) => Promise<void>;
  done: () => void;
}

/** A name being typed in the tree: Enter takes it, Escape leaves. */
export function NameRow({ position, depth, directory, initial, label, submit, done }: NameRowProps) {
  const [name, setName] = useState(initial);
  const [refused, setRefused] = useState<{ name: string; reason: string }>();
  const input = useRef<HTMLInputElement>(null);
  const busy = useRef(false);
  useEffect(() => {
    const field = input.current;
    if (!field) return;
    field.focus();
    const dot = initial.lastIndexOf(".");
    field.setSelectionRange(0, dot > 0 && !directory ? dot : initial.length);
  }, [initial, directory]);
  const problem =
    name === "" ? undefined : (nameProblem(name) ?? (refused?.name === name ? refused.reason : undefined));
  const take = async () => {
    if (busy.current) return;
    if (name === "" || name === initial) return done();
    if (nameProblem(name)) return;
    busy.current = true;
    try {
      await submit(name);
      done();
    } catch (error) {
      setRefused({ name, reason: error instanceof Error ? error.message : String(error) });
      input.current?.focus();
    } finally {
      busy.current = false;
    }
  };
  return (
    <div
      id={`row-${position}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected
      aria-label={label}
      className="relative flex h-full items-center gap-1.5 pr-2"
      style={{ paddingLeft: 8 + depth * INDENT }}
    >
      <span className="w-3.5 shrink-0" />
      {directory ? <FolderIcon open={false} /> : <FileIcon path={name} />}
      <input
        ref={input}
        aria-label={label}
        aria-invalid={problem !== undefined || undefined}
        value={name}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setName(event.target.value)}
        onBlur={() => {
          if (busy.current) return;
          if (problem === undefined && name !== "" && name !== initial) void take();
          else done();
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") void take();
          else if (event.key === "Escape") done();
        }}
        className={cx(
          "h-5 min-w-0 flex-1 rounded-sm border bg-canvas px-1 text-base text-fg outline-none focus-visible:outline-none",
          problem === undefined ? "border-focus" : "border-failed",
        )}
      />
      {problem !== undefined && (
        <p
          role="alert"
          className="absolute inset-x-2 top-full z-10 rounded-sm border border-failed bg-failed-soft px-2 py-1 text-sm whitespace-normal text-fg"
        >
          {problem}
        </p>
      )}
    </div>
  );
}
