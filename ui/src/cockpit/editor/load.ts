// The way to Monaco. Its megabytes are a chunk of their own, fetched once; that chunk imports nothing of the rest of
// the page, which the bundler would otherwise move into it, and is handed here what it needs.
import { persistently } from "@/lib/persistently";
import { basename } from "../model/path";
import type * as monacoModule from "./monaco";
import type * as poolModule from "./pool";
import * as theme from "./theme";

type MonacoModule = typeof monacoModule;
type PoolModule = typeof poolModule;

let monaco: Promise<MonacoModule> | undefined;

export function loadMonaco(): Promise<MonacoModule> {
  monaco ??= persistently(() => import("./monaco")).then(
    (module) => {
      module.begin({ basename, ...theme });
      return module;
    },
    (error: unknown) => {
      monaco = undefined;
      throw error;
    },
  );
  return monaco;
}

export async function loadPool(): Promise<PoolModule> {
  await loadMonaco();
  return persistently(() => import("./pool"));
}
