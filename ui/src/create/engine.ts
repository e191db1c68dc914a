import { type EngineCapabilities, type EngineInfo, type Profile, type Settings } from "@/protocol/generated";
import { clusterOf } from "@/state/clusters";

/** The engine that a new workspace is made on: the one chosen, else the settings' one, else the first that is ready. */
export function engineFor(
  engines: readonly EngineInfo[],
  chosen: string | undefined,
  settings: Settings | undefined,
): EngineInfo | undefined {
  const ready = engines.filter((engine) => engine.health === "ready");
  return (
    engines.find((engine) => engine.id === chosen) ??
    ready.find((engine) => engine.id === settings?.default_engine) ??
    ready[0]
  );
}

/** Whether an engine has an ability; before it was ready once its abilities say nothing, and it is given credit. */
export function can(engine: EngineInfo | undefined, ability: keyof EngineCapabilities): boolean {
  return engine?.health !== "ready" || engine.capabilities[ability];
}

export interface ProfileWords {
  value: Profile;
  label: string;
  description: string;
}

/** The profiles as they are on an engine. */
export function profilesOn(engine: EngineInfo | undefined): ProfileWords[] {
  const cutOff = can(engine, "no_network")
    ? ""
    : " On this cluster, being cut off depends on its network plugin: a workspace that would have a network is not made.";
  return [
    {
      value: "standard",
      label: "Standard",
      description: can(engine, "sudo")
        ? "For your own code: a normal user with sudo inside, network, and a short list of capabilities."
        : "For your own code: a normal user and network. There is no sudo on this engine.",
    },
    {
      value: "locked",
      label: "Locked",
      description: `For code you do not trust: no network, no capabilities, and a system that cannot be changed.${cutOff}`,
    },
  ];
}

/** What an empty image field stands for on an engine, and the sentence that says so. */
export function baseImage(
  engine: EngineInfo | undefined,
  settings: Settings | undefined,
): { name: string; help: string } {
  if (engine === undefined || settings === undefined || can(engine, "images"))
    return {
      name: "Base image",
      help: "Empty for AiCockpit's base image: Debian with Git, sudo and common tools.",
    };
  const name = clusterOf(settings, engine).base_image;
  return { name, help: `Empty for ${name}. The cluster's machines pull it.` };
}
