import { Search } from "lucide-react";
import { useState } from "react";
import { keysOf, useCommandList, type Command } from "@/commands";
import { EmptyState, Input, Kbd } from "@/components";
import { fuzzyMatch } from "@/lib/fuzzy";
import { Page } from "./Page";

/** Every command that has a key, and those without. What an open workspace adds is listed while one is open. */
export function KeysPage() {
  const [query, setQuery] = useState("");
  const commands = useCommandList();
  const shown = commands.filter(
    (command) => query.trim() === "" || fuzzyMatch(query.trim(), `${command.group ?? ""} ${command.title}`),
  );
  const groups = new Map<string, Command[]>();
  for (const command of shown) {
    const group = command.group ?? "Other";
    groups.set(group, [...(groups.get(group) ?? []), command]);
  }
  return (
    <Page title="Keyboard shortcuts">
      <Input
        type="text"
        role="searchbox"
        aria-label="Filter commands"
        placeholder="Filter"
        icon={<Search size={14} aria-hidden />}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
      />
      {groups.size === 0 && <EmptyState title="No command matches" />}
      {[...groups]
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([group, members]) => (
          <section key={group} className="flex flex-col gap-1">
            <h2 className="font-semibold text-muted">{group}</h2>
            <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
              {members
                .toSorted((a, b) => a.title.localeCompare(b.title))
                .map((command) => (
                  <li key={command.id} className="flex min-h-8 items-center justify-between gap-4 px-3 py-1">
                    <span className="min-w-0">{command.title}</span>
                    <span className="flex shrink-0 gap-3">
                      {keysOf(command).map((keys) => (
                        <Kbd key={keys} keys={keys} />
                      ))}
                    </span>
                  </li>
                ))}
            </ul>
          </section>
        ))}
      <section className="flex flex-col gap-1">
        <h2 className="font-semibold text-muted">In the list of workspaces</h2>
        <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
          {LIST_KEYS.map(([what, keys]) => (
            <li key={what} className="flex min-h-8 items-center justify-between gap-4 px-3 py-1">
              <span>{what}</span>
              <Kbd keys={keys} />
            </li>
          ))}
        </ul>
      </section>
    </Page>
  );
}

const LIST_KEYS = [
  ["Open", "Enter"],
  ["Select or deselect", "Space"],
  ["Select all", "Mod+A"],
  ["Rename", "F2"],
  ["Delete", "Delete"],
  ["Clear the selection", "Escape"],
  ["Menu of a workspace", "Shift+F10"],
] as const;
