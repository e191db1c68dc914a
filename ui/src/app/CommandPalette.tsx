import { useState } from "react";
import { keysOf, useCommandList, type Command } from "@/commands";
import { Kbd, Picker } from "@/components";
import { fuzzyFilter } from "@/lib/fuzzy";
import { showOverlay } from "@/state/navigation";
import { useContextBefore } from "./focus";

// Within one visit, what was run last comes first.
let lastRun: readonly string[] = [];

export function CommandPalette({ open }: { open: boolean }) {
  const [query, setQuery] = useState("");
  const context = useContextBefore(open);
  const commands = useCommandList();
  const shown = open ? matching(commands, query, (command) => command.when?.(context) ?? true) : [];
  const close = () => {
    setQuery("");
    showOverlay(undefined);
  };
  return (
    <Picker
      open={open}
      onClose={close}
      label="Commands"
      placeholder="Run a command"
      query={query}
      onQuery={setQuery}
      items={shown}
      itemKey={(command) => command.id}
      renderItem={(command) => (
        <>
          <span className="min-w-0 flex-1 truncate">
            {command.group !== undefined && <span className="text-faint">{command.group}: </span>}
            {command.title}
          </span>
          {keysOf(command)
            .slice(0, 1)
            .map((keys) => (
              <Kbd key={keys} keys={keys} />
            ))}
        </>
      )}
      onPick={(command) => {
        lastRun = [command.id, ...lastRun.filter((id) => id !== command.id)].slice(0, 5);
        close();
        // The command finds the focus where it was, not in a field that is going away.
        requestAnimationFrame(() => void command.run());
      }}
      empty={`No command matches “${query}”.`}
    />
  );
}

function matching(
  commands: readonly Command[],
  query: string,
  applies: (command: Command) => boolean,
): Command[] {
  const possible = commands.filter(
    (command) => command.hidden !== true && command.id !== "app.palette" && applies(command),
  );
  const byName = possible.toSorted((a, b) => title(a).localeCompare(title(b)));
  const rank = (command: Command) => {
    const index = lastRun.indexOf(command.id);
    return index < 0 ? lastRun.length : index;
  };
  return fuzzyFilter(
    byName.toSorted((a, b) => rank(a) - rank(b)),
    query,
    title,
  );
}

function title(command: Command): string {
  return command.group === undefined ? command.title : `${command.group}: ${command.title}`;
}
