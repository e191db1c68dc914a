import {
  type BackendSettings,
  type BrokerSettings,
  type ModelAlias,
  type Settings,
  type Target,
} from "@/protocol/generated";

/** A server that a name can lead to. */
export type NamedServer = Pick<BackendSettings, "id" | "name" | "enabled">;

/** Those of the settings, and those that are started here. */
export function namedServers({ models, local_models }: Settings): NamedServer[] {
  return [...models.backends, ...local_models.servers];
}

/** A target as it is edited. Its place in the list is its order. */
export interface TargetDraft {
  /** Of this row, for as long as the form is open. */
  key: number;
  server: string;
  model: string;
  /** It has the same turn as the one above: requests are spread over both. */
  together: boolean;
}

export interface NameDraft {
  /** What the name was, where it is one that there is. */
  before: string | undefined;
  name: string;
  targets: readonly TargetDraft[];
}

export interface NameProblems {
  name?: string;
  /** What is wrong with the list as a whole. */
  list?: string;
  /** By the row's key. */
  targets: ReadonlyMap<number, string>;
}

const LONGEST_NAME = 200;
const MOST_TURNS = 256;

/** The server that a target names by id or name. */
export function serverOf(
  target: Pick<Target, "backend">,
  servers: readonly NamedServer[],
): NamedServer | undefined {
  return (
    servers.find(({ id }) => id === target.backend) ?? servers.find(({ name }) => name === target.backend)
  );
}

/** Targets by their turn: those of one turn share the load. */
export function turnsOf(targets: readonly Target[]): Target[][] {
  const turns = new Map<number, Target[]>();
  for (const target of targets.toSorted((a, b) => a.priority - b.priority))
    turns.set(target.priority, [...(turns.get(target.priority) ?? []), target]);
  return [...turns.values()];
}

export function nameDraftOf(alias: ModelAlias, servers: readonly NamedServer[]): NameDraft {
  const rows = turnsOf(alias.targets).flatMap((turn) =>
    turn.map((target, index) => ({ target, together: index > 0 })),
  );
  return {
    before: alias.name,
    name: alias.name,
    targets: rows.map(({ target, together }, key) => ({
      key,
      server: serverOf(target, servers)?.id ?? target.backend,
      model: target.model,
      together,
    })),
  };
}

export function emptyNameDraft(servers: readonly NamedServer[]): NameDraft {
  return withTarget({ before: undefined, name: "", targets: [] }, servers);
}

export function withTarget(draft: NameDraft, servers: readonly NamedServer[]): NameDraft {
  const key = Math.max(-1, ...draft.targets.map((target) => target.key)) + 1;
  const server = (servers.find(({ enabled }) => enabled) ?? servers[0])?.id ?? "";
  return { ...draft, targets: [...draft.targets, { key, server, model: "", together: false }] };
}

export function changeTarget(draft: NameDraft, key: number, change: Partial<TargetDraft>): NameDraft {
  const targets = draft.targets.map((target) => (target.key === key ? { ...target, ...change } : target));
  return { ...draft, targets };
}

export function withoutTarget(draft: NameDraft, key: number): NameDraft {
  return { ...draft, targets: draft.targets.filter((target) => target.key !== key) };
}

/** One place up (-1) or down (1); as it was at the end of the list. */
export function moveTarget(draft: NameDraft, key: number, step: -1 | 1): NameDraft {
  const at = draft.targets.findIndex((target) => target.key === key);
  const moved = draft.targets[at];
  const other = draft.targets[at + step];
  if (!moved || !other) return draft;
  const targets = draft.targets.with(at, other).with(at + step, moved);
  return { ...draft, targets };
}

/** Each row's turn, from 0. The first row has nothing above it to share with. */
export function turns(targets: readonly TargetDraft[]): number[] {
  let turn = 0;
  return targets.map(({ together }, index) => {
    if (index > 0 && !together) turn += 1;
    return turn;
  });
}

function targetProblem(
  target: TargetDraft,
  above: readonly TargetDraft[],
  servers: readonly NamedServer[],
): string | undefined {
  if (serverOf({ backend: target.server }, servers) === undefined)
    return `There is no server “${target.server}” any more; choose another.`;
  const model = target.model.trim();
  if (model === "") return "Name a model of this server.";
  return above.some((each) => each.server === target.server && each.model.trim() === model)
    ? "This model stands above already."
    : undefined;
}

function nameProblem({ name, before }: NameDraft, aliases: readonly ModelAlias[]): string | undefined {
  const text = name.trim();
  if (text === "") return "Give a name that clients ask for, for instance fast.";
  if (/\s/.test(text)) return "No spaces: clients send it as one word.";
  if (text.length > LONGEST_NAME) return `At most ${LONGEST_NAME} characters.`;
  return text !== before && aliases.some((alias) => alias.name === text) ? "This name is taken." : undefined;
}

export function nameProblems(
  draft: NameDraft,
  models: BrokerSettings,
  servers: readonly NamedServer[],
): NameProblems {
  const targets = new Map<number, string>();
  draft.targets.forEach((target, index) => {
    const problem = targetProblem(target, draft.targets.slice(0, index), servers);
    if (problem !== undefined) targets.set(target.key, problem);
  });
  const name = nameProblem(draft, models.aliases);
  const list =
    draft.targets.length === 0
      ? "Add one model at least: a name leads somewhere."
      : (turns(draft.targets).at(-1) ?? 0) >= MOST_TURNS
        ? `At most ${MOST_TURNS} turns.`
        : undefined;
  return { ...(name === undefined ? {} : { name }), ...(list === undefined ? {} : { list }), targets };
}

/** The models' settings with this name as typed, in the place it had. */
export function withName(models: BrokerSettings, draft: NameDraft): BrokerSettings {
  const order = turns(draft.targets);
  const alias: ModelAlias = {
    name: draft.name.trim(),
    targets: draft.targets.map(({ server, model }, index) => ({
      backend: server,
      model: model.trim(),
      priority: order[index] ?? 0,
    })),
  };
  const at = models.aliases.findIndex(({ name }) => name === draft.before);
  const aliases = at < 0 ? [...models.aliases, alias] : models.aliases.with(at, alias);
  return { ...models, aliases };
}

export function withoutName(models: BrokerSettings, name: string): BrokerSettings {
  return { ...models, aliases: models.aliases.filter((alias) => alias.name !== name) };
}

/** Puts a name back where it was; not where another has been made of it, or a server of it has gone, since. */
export function withNameAgain(
  models: BrokerSettings,
  alias: ModelAlias,
  at: number,
  servers: readonly NamedServer[],
): BrokerSettings {
  const targets = alias.targets.filter((target) => serverOf(target, servers) !== undefined);
  if (targets.length === 0 || models.aliases.some(({ name }) => name === alias.name)) return models;
  return { ...models, aliases: models.aliases.toSpliced(at, 0, { ...alias, targets }) };
}
