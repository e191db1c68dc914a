import {
  type BackendSettings,
  type BrokerSettings,
  type LocalServerSettings,
  type Settings,
} from "@/protocol/generated";
import { namedServers, type NamedServer } from "./names";

type Removable = Pick<NamedServer, "id" | "name">;

const leadsTo =
  ({ id, name }: Removable) =>
  ({ backend }: { backend: string }): boolean =>
    backend === id || backend === name;

/** A name that leads to a server, and whether it leads nowhere else. */
export interface LedName {
  name: string;
  isOnly: boolean;
}

/** The names that lead to a server. */
export function namesOf({ aliases }: BrokerSettings, server: Removable): LedName[] {
  const leads = leadsTo(server);
  return aliases
    .filter(({ targets }) => targets.some(leads))
    .map(({ name, targets }) => ({ name, isOnly: targets.every(leads) }));
}

/** Without a server: names lead past it, and those that led only to it are gone. */
export function withoutServer(settings: Settings, server: Removable): Settings {
  const { models, local_models } = settings;
  const leads = leadsTo(server);
  return {
    ...settings,
    models: {
      ...models,
      backends: models.backends.filter(({ id }) => id !== server.id),
      aliases: models.aliases
        .map((alias) =>
          alias.targets.some(leads)
            ? { ...alias, targets: alias.targets.filter((each) => !leads(each)) }
            : alias,
        )
        .filter(({ targets }) => targets.length > 0),
    },
    local_models: {
      ...local_models,
      servers: local_models.servers.filter(({ id }) => id !== server.id),
    },
  };
}

/** Puts back a server, and the names that led to it, as they were `before`; what was done since stays. */
export function withServerAgain(now: Settings, before: Settings, server: Removable): Settings {
  const taken = namedServers(now).some(({ id, name }) => id === server.id || name === server.name);
  if (taken) return now;
  return {
    ...now,
    models: {
      ...now.models,
      backends: putBack<BackendSettings>(now.models.backends, before.models.backends, server),
      aliases: namesAgain(now, before, server),
    },
    local_models: {
      ...now.local_models,
      servers: putBack<LocalServerSettings>(now.local_models.servers, before.local_models.servers, server),
    },
  };
}

/** The list with the server in the place that it had; as it is where the server was in another. */
function putBack<T extends NamedServer>(now: readonly T[], before: readonly T[], { id }: Removable): T[] {
  const at = before.findIndex((each) => each.id === id);
  const was = before[at];
  return was === undefined ? [...now] : now.toSpliced(at, 0, was);
}

function namesAgain(now: Settings, before: Settings, server: Removable): BrokerSettings["aliases"] {
  const touched = new Set(namesOf(before.models, server).map(({ name }) => name));
  const present = new Set([server.id, ...namedServers(now).map(({ id }) => id)]);
  const gone = new Set(
    namedServers(before)
      .filter(({ id }) => !present.has(id))
      .flatMap(({ id, name }) => [id, name]),
  );
  const restored = before.models.aliases
    .filter(({ name }) => touched.has(name))
    // A target whose server was removed since cannot come back with it.
    .map((alias) => ({ ...alias, targets: alias.targets.filter(({ backend }) => !gone.has(backend)) }));
  const place = (wanted: string) => {
    const at = before.models.aliases.findIndex(({ name }) => name === wanted);
    return at < 0 ? before.models.aliases.length : at;
  };
  return [...now.models.aliases.filter(({ name }) => !touched.has(name)), ...restored].toSorted(
    (a, b) => place(a.name) - place(b.name),
  );
}
