import { expect, it } from "vitest";
import { localModelsProblem, modelsProblem } from "./check";

const SERVER = { id: "a", name: "a", url: "http://127.0.0.1:8080/v1" };
const NAME = { name: "fast", targets: [{ backend: "a", model: "m" }] };

it("takes what may be left out, and keys that are not known", () => {
  expect(modelsProblem({})).toBeUndefined();
  expect(
    modelsProblem({
      backends: [
        SERVER,
        { ...SERVER, kind: "vllm", has_key: true, enabled: false, max_parallel: 8, later: 1 },
      ],
      aliases: [{ ...NAME, targets: [{ backend: "a", model: "m", priority: 255 }] }],
      first_byte_seconds: 1,
      idle_seconds: 86_400,
    }),
  ).toBeUndefined();
});

it.each([
  [[], "An object with model servers"],
  [{ backends: {} }, "“backends”: A list of servers"],
  [{ backends: [1] }, "server 1: an object"],
  [{ backends: [{ id: "a", name: "a" }] }, "server “a”, “url” is missing"],
  [{ backends: [{ ...SERVER, url: "localhost" }] }, "server “a”, “url”: An address begins with http://"],
  [{ backends: [{ ...SERVER, kind: "azure" }] }, '“kind”: One of "ollama"'],
  [{ backends: [{ ...SERVER, enabled: 1 }] }, "“enabled”: Either true or false."],
  [{ backends: [{ ...SERVER, max_parallel: 0 }] }, "“max_parallel”: A whole number from 1"],
  [{ aliases: [{ name: "", targets: [] }] }, "name “”, “name”: A text in quotes."],
  [{ aliases: [{ name: "fast", targets: [] }] }, "name “fast”, “targets”: one at least."],
  [{ aliases: [{ ...NAME, targets: [{ model: "m" }] }] }, "target 1, “backend” is missing"],
  [{ aliases: [{ ...NAME, targets: [{ backend: "a", model: "m", priority: 256 }] }] }, "from 0 to 255"],
  [{ first_byte_seconds: 0 }, "“first_byte_seconds”: A whole number from 1"],
])("names what is wrong in %j", (value, problem) => {
  expect(modelsProblem(value)).toContain(problem);
});

it("a server of this machine may run in a container, which is named whole", () => {
  const own = { id: "a", name: "a", runtime: "llama_cpp", model: "/a.gguf" };
  const problem = (container: unknown) => localModelsProblem({ servers: [{ ...own, container }] });
  expect(problem({ engine: "docker", image: "llama:1", gpu: false })).toBeUndefined();
  expect(problem({ engine: "docker" })).toContain("“container”: “image” is missing.");
  expect(problem({ engine: "docker", image: "llama:1", gpu: "on" })).toContain(
    "“gpu”: Either true or false.",
  );
  expect(problem("docker")).toContain("“container”: An object");
});
