import { useEffect, useState, type ReactNode } from "react";
import { toCallError } from "@/client";
import { Picker } from "@/components";
import { fuzzyMatch } from "@/lib/fuzzy";
import { FileIcon } from "../explorer/icons";
import { basename, join, relative, shown } from "../model/path";
import { useSession } from "../session/context";
import { useModel } from "../useModel";

const LIMIT = 100;
const RECENT_SHOWN = 30;
const ASK_AGAIN_MS = 250;

interface Item {
  /** Relative to the workspace folder. */
  path: string;
  positions: readonly number[];
  recent: boolean;
}

/** `name:12:5` → the name, and where to go in the file. */
export function splitPosition(query: string): {
  name: string;
  line: number | undefined;
  column: number | undefined;
} {
  const match = /^(.*?)(?::(\d+))?(?::(\d+))?:?$/.exec(query);
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return { name: match?.[1] ?? query, line: number(match?.[2]), column: number(match?.[3]) };
}

/** Files by name: those opened lately first, then the best matches of all. */
export function QuickOpen() {
  const session = useSession();
  const overlays = useModel(session.overlays);
  const open = overlays.shown === "files";
  const [query, setQuery] = useState("");
  const [wasOpen, setWasOpen] = useState(false);
  if (open !== wasOpen) {
    setWasOpen(open);
    setQuery(overlays.text);
  }
  const [found, setFound] = useState<{ name: string; items: Item[]; indexing: boolean }>();
  const [failed, setFailed] = useState<string>();
  const [round, setRound] = useState(0);
  const { name, line, column } = splitPosition(query);
  const { folder } = session.inside;

  useEffect(() => {
    if (!open || name.trim() === "") return;
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    session.host.call("search.files", { root: folder, query: name.trim(), limit: LIMIT }).then(
      (answer) => {
        if (gone) return;
        setFailed(undefined);
        setFound({
          name,
          items: answer.files.map((file) => ({ path: file.path, positions: file.positions, recent: false })),
          indexing: answer.indexing,
        });
        // The tree is still being walked: what is found so far is shown, and soon asked for again.
        if (answer.indexing) timer = setTimeout(() => setRound((before) => before + 1), ASK_AGAIN_MS);
      },
      (error: unknown) => {
        if (!gone) setFailed(toCallError(error).message);
      },
    );
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [session, folder, open, name, round]);

  const recent = session.layout.value.recent
    .map((path) => relative(folder, path))
    .map((path): (Item & { score: number }) | undefined => {
      const match = fuzzyMatch(name.trim(), path);
      return match && { path, positions: match.positions, recent: true, score: match.score };
    })
    .filter((item) => item !== undefined);
  if (name.trim() !== "") recent.sort((a, b) => b.score - a.score);
  const shownRecent = recent.slice(0, name.trim() === "" ? RECENT_SHOWN : 3);
  const others = name.trim() === "" ? [] : (found?.items ?? []);
  const items: Item[] = [
    ...shownRecent,
    ...others.filter((item) => shownRecent.every((other) => other.path !== item.path)),
  ];

  const close = () => {
    setFound(undefined);
    session.overlays.show(undefined);
  };
  const pick = (item: Item | undefined, beside: boolean) => {
    const path = item && (item.path.startsWith("/") ? item.path : join(folder, item.path));
    close();
    // `:12` alone goes to the line in the file in front.
    const target = path ?? session.groups.activePane?.path;
    if (target !== undefined) session.groups.open(target, { keep: true, beside, line, column });
  };
  const goToLine = name === "" && line !== undefined;
  return (
    <Picker
      open={open}
      onClose={close}
      label="Open file"
      placeholder="Search files by name (append :line to go to a line)"
      query={query}
      onQuery={setQuery}
      items={goToLine ? [{ path: "", positions: [], recent: false }] : items}
      itemKey={(item) => item.path}
      renderItem={(item): ReactNode =>
        goToLine ? (
          <span>
            Go to line {line}
            {column === undefined ? "" : `, column ${column}`}
          </span>
        ) : (
          <FileItem item={item} />
        )
      }
      onPick={(item, other) => pick(goToLine ? undefined : item, other)}
      empty={
        failed ??
        (name.trim() === ""
          ? "Type a part of a file’s name."
          : found?.name === name && !found.indexing
            ? "No file has such a name."
            : "Searching…")
      }
      footer={found?.indexing === true && name.trim() !== "" ? "Still reading the list of files…" : undefined}
    />
  );
}

function FileItem({ item }: { item: Item }) {
  const { path, positions } = item;
  const start = path.length - basename(path).length;
  return (
    <>
      <FileIcon path={path} />
      <span className="shrink-0">
        <Highlighted text={path.slice(start)} offset={start} positions={positions} />
      </span>
      <span className="min-w-0 truncate text-sm text-faint">
        <Highlighted text={path.slice(0, Math.max(0, start - 1))} offset={0} positions={positions} />
      </span>
      {item.recent && <span className="ml-auto shrink-0 text-sm text-faint">recent</span>}
    </>
  );
}

function Highlighted({
  text,
  offset,
  positions,
}: {
  text: string;
  offset: number;
  positions: readonly number[];
}) {
  const marked = new Set(positions);
  const parts: { text: string; on: boolean }[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const on = marked.has(at + offset);
    const last = parts.at(-1);
    if (last && last.on === on) last.text += text[at];
    else parts.push({ text: text[at] ?? "", on });
  }
  return parts.map((part, index) =>
    part.on ? (
      <mark key={index} className="bg-transparent font-semibold text-accent-text">
        {shown(part.text)}
      </mark>
    ) : (
      <span key={index}>{shown(part.text)}</span>
    ),
  );
}
