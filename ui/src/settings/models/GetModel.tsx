import { Button, CommandLine } from "@/components";
import { openModels } from "@/state/navigation";
import { type Preset, PROVIDER_PRESETS } from "./servers";

const LOCAL = [
  {
    name: "Ollama",
    what: "Fetches a model and runs it; the simplest way.",
    command: "ollama run qwen3:4b",
    offline: "Offline: a line “FROM ./model.gguf” in a file named Modelfile, then ollama create mine.",
  },
  {
    name: "llama.cpp",
    what: "Runs one GGUF file, on the processor or the GPU.",
    command: "llama-server --model model.gguf --port 8080",
    offline: "Offline: bring the .gguf file from another machine; nothing else is needed.",
  },
  {
    name: "LM Studio",
    what: "A desktop application with a store of models.",
    command: "lms server start",
    offline: "Offline: lms import model.gguf takes a file from another machine.",
  },
  {
    name: "vLLM",
    what: "For many requests at once, on a GPU.",
    command: "vllm serve Qwen/Qwen3-4B --port 8000",
    offline: "Offline: give the folder of a model from another machine in place of its name.",
  },
] as const;

/** No server yet: how to get a model, here or elsewhere. On one screen. */
export function GetModel({ hasLocal }: { hasLocal: boolean }) {
  return (
    <section className="flex flex-col gap-2" aria-labelledby="models-local">
      <h2 id="models-local" className="font-semibold text-muted">
        Run a model on this machine
      </h2>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-md border border-line-strong px-3 py-2">
        <p className="min-w-0 flex-1 basis-72">
          <span className="font-medium">AiCockpit</span>{" "}
          <span className="text-muted">
            {hasLocal
              ? "starts models that lie on this machine when somebody asks for them, as a program or in a container."
              : "finds models that lie on this machine, starts them as a program or in a container when somebody asks, and gives the memory back. Offline: copy a .gguf file into one of the folders that it looks in."}
          </span>
        </p>
        <Button size="small" onClick={() => openModels("local")}>
          {hasLocal ? "Show models of this machine" : "Use a model file"}
        </Button>
      </div>
      <p className="text-muted">
        Or start one of these in a terminal of this machine, then look again. What you ask does not leave the
        machine.
      </p>
      <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
        {LOCAL.map(({ name, what, command, offline }) => (
          <li key={name} className="flex flex-col gap-1 px-3 py-2">
            <p>
              <span className="font-medium">{name}</span> <span className="text-muted">{what}</span>
            </p>
            <CommandLine command={command} />
            <p className="text-sm break-words text-faint">{offline}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Providers whose models a key opens: each begins the form. */
export function Providers({ onPreset }: { onPreset: (preset: Preset) => void }) {
  return (
    <div role="group" aria-label="Use a provider’s key" className="flex flex-wrap items-center gap-2">
      <span className="mr-1 text-muted">Use a provider’s key:</span>
      {PROVIDER_PRESETS.map((preset) => (
        <Button key={preset.label} size="small" onClick={() => onPreset(preset)}>
          {preset.label}
        </Button>
      ))}
    </div>
  );
}
