import { ChevronRight } from "lucide-react";
import { FileIcon } from "../explorer/icons";
import { basename, isWithin, join, relative, shown } from "../model/path";
import { useSession } from "../session/context";

/** Where a file lies; a click shows that place in the tree. */
export function Breadcrumbs({ path }: { path: string }) {
  const session = useSession();
  if (path.startsWith("untitled:")) return null;
  const { root } = session.tree;
  const inside = isWithin(root, path);
  const parts = relative(root, path).split("/").filter(Boolean);
  const reveal = (index: number) => {
    session.showSide("explorer");
    void session.tree.reveal(parts.slice(0, index + 1).reduce((at, part) => join(at, part), root));
  };
  return (
    <nav
      aria-label="File path"
      className="flex h-6 shrink-0 items-center gap-0.5 overflow-hidden px-3 text-sm text-faint"
    >
      {parts.map((part, index) => {
        const last = index === parts.length - 1;
        return (
          <span
            key={index}
            className={
              last ? "flex min-w-0 items-center gap-0.5" : "flex min-w-0 shrink items-center gap-0.5"
            }
          >
            {index > 0 && <ChevronRight size={12} className="shrink-0" aria-hidden />}
            {inside ? (
              <button
                type="button"
                onClick={() => reveal(index)}
                className="flex min-w-0 items-center gap-1 truncate rounded-sm px-0.5 hover:text-fg"
              >
                {last && <FileIcon path={basename(path)} size={14} />}
                <span className="truncate">{shown(part)}</span>
              </button>
            ) : (
              <span className="truncate">{shown(part)}</span>
            )}
          </span>
        );
      })}
    </nav>
  );
}
