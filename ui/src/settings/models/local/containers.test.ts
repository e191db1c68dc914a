import { describe, expect, it } from "vitest";
import { type ContainerEngine, type LocalServerSettings, type RuntimeFound } from "@/protocol/generated";
import {
  containerOf,
  containerWords,
  imageHelp,
  imageNote,
  imageProblem,
  imagesFor,
  imagesInUse,
  placeOf,
  usualPlace,
  withPlace,
} from "./containers";

const GB = 1024 ** 3;
const engine = (id: string, change: Partial<ContainerEngine> = {}): ContainerEngine => ({
  engine: id,
  name: id.toUpperCase(),
  gpu: false,
  images: [
    { image: "ghcr.io/llama:server", runtime: "llama_cpp" },
    { image: "docker.io/vllm/vllm-openai:latest", runtime: "vllm" },
  ],
  ...change,
});
const docker = engine("docker", {
  images: [
    { image: "ghcr.io/llama:server", runtime: "llama_cpp" },
    { image: "mine:1", runtime: "llama_cpp", bytes: GB },
    { image: "vllm/vllm-openai", runtime: "vllm", bytes: 9 * GB },
  ],
});
const program = (change: Partial<RuntimeFound> = {}): RuntimeFound => ({
  runtime: "llama_cpp",
  path: "/usr/bin/llama-server",
  ...change,
});
const NO_PROGRAM = program({ problem: "there is none" });
const server = (container?: LocalServerSettings["container"]): LocalServerSettings => ({
  id: "a",
  name: "a",
  runtime: "llama_cpp",
  model: "/models/a.gguf",
  arguments: [],
  enabled: true,
  container,
});

describe("where a server runs", () => {
  it("is the program, where there is one or it is not known yet", () => {
    const scan = { runtimes: [program()], engines: [docker] };
    expect(usualPlace(scan, "llama_cpp").place).toBe("program");
    expect(usualPlace(undefined, "llama_cpp").place).toBe("program");
  });

  it("is a container where there is no program and an engine is ready", () => {
    const broken = engine("podman", { problem: "it is stopped" });
    expect(usualPlace({ runtimes: [NO_PROGRAM], engines: [broken, docker] }, "llama_cpp")).toEqual({
      place: "container",
      engine: "docker",
      image: "mine:1",
      gpu: "automatic",
    });
    expect(usualPlace({ runtimes: [NO_PROGRAM], engines: [broken] }, "llama_cpp").place).toBe("program");
  });

  it("is by preference the engine that has the image, then one that passes GPUs", () => {
    const plain = engine("plain");
    const gpu = engine("gpu", { gpu: true });
    const on = (...engines: ContainerEngine[]) =>
      usualPlace({ runtimes: [NO_PROGRAM], engines }, "llama_cpp").engine;
    expect(on(plain, gpu, docker)).toBe("docker");
    expect(on(plain, gpu)).toBe("gpu");
    expect(on(plain)).toBe("plain");
  });

  it("is read from the settings and written back", () => {
    for (const gpu of [undefined, true, false]) {
      const container = { engine: "docker", image: "mine:1", ...(gpu === undefined ? {} : { gpu }) };
      expect(containerOf(placeOf(server(container), undefined))).toEqual(container);
    }
    expect(containerOf(placeOf(server(), { runtimes: [NO_PROGRAM], engines: [docker] }))).toBeUndefined();
  });
});

describe("the image", () => {
  it("follows the runtime and the engine, unless it was typed", () => {
    const podman = engine("podman");
    const engines = [docker, podman];
    const draft = { ...usualPlace({ runtimes: [], engines }, "llama_cpp"), runtime: "llama_cpp" as const };
    expect(withPlace(draft, { runtime: "vllm" }, engines).image).toBe("vllm/vllm-openai");
    expect(withPlace(draft, { engine: "podman" }, engines).image).toBe("ghcr.io/llama:server");
    const typed = { ...draft, image: "own/llama:2" };
    expect(withPlace(typed, { engine: "podman", runtime: "vllm" }, engines).image).toBe("own/llama:2");
    const both = { ...draft, image: "ghcr.io/llama:server" };
    expect(withPlace(both, { engine: "podman" }, engines).image).toBe("ghcr.io/llama:server");
  });

  it("is offered with those that the engine has first, and what each takes", () => {
    const notes = (offline: boolean) =>
      imagesFor(docker, "llama_cpp").map((image) => `${image.image} ${imageNote(image, offline)}`);
    expect(notes(false)).toEqual(["mine:1 1 GB", "ghcr.io/llama:server will be pulled"]);
    expect(notes(true)).toEqual(["mine:1 1 GB", "ghcr.io/llama:server not on this machine"]);
  });

  it.each([
    ["docker.io/vllm/vllm-openai:latest", true, /^9 GB, on DOCKER\.$/, false],
    ["ghcr.io/llama:server", false, /pulled to DOCKER/, false],
    ["ghcr.io/llama:server", true, /Offline: .* is not on DOCKER/, true],
    ["own:2", false, /has it not/, false],
    ["own:2", true, /used where DOCKER has it/, false],
  ])("%s is explained (offline: %s)", (image, offline, sentence, isTrouble) => {
    const draft = { ...usualPlace(undefined, "vllm"), place: "container" as const, image };
    const help = imageHelp(draft, docker, offline);
    expect(help.sentence).toMatch(sentence);
    expect(help.isTrouble).toBe(isTrouble);
  });

  it.each([
    ["docker", "", /Name an image/],
    ["docker", "a b", /No spaces/],
    ["", "a", /No engine/],
  ])("on %j called %j is refused", (id, image, why) => {
    const draft = { place: "container", engine: id, image, gpu: "automatic" } as const;
    expect(imageProblem(draft)).toMatch(why);
    expect(imageProblem({ ...draft, place: "program" })).toBeUndefined();
  });

  it("of several servers is told once, with what its engine knows of it", () => {
    const on = (id: string, image: string) => server({ engine: id, image });
    const used = imagesInUse(
      [
        on("docker", "vllm/vllm-openai"),
        on("docker", "docker.io/vllm/vllm-openai:latest"),
        on("gone", "x"),
        server(),
      ],
      [docker],
    );
    expect(used).toMatchObject([
      { engine: "docker", engineName: "DOCKER", bytes: 9 * GB, isMissing: false },
      { engine: "gone", engineName: "gone", image: "x", bytes: undefined, isMissing: false },
    ]);
    expect(imagesInUse([on("docker", "ghcr.io/llama:server")], [docker])).toMatchObject([
      { isMissing: true },
    ]);
    expect(containerWords(on("docker", "mine:1"), [docker])).toBe("mine:1 on DOCKER");
    expect(containerWords(server(), [docker])).toBeUndefined();
  });
});
