import { expect, it } from "vitest";
import { imageKey, isDigest, isFromThisMachine } from "./images";

it.each([
  ["debian", "debian:latest"],
  ["docker.io/library/debian:latest", "debian:latest"],
  ["docker.io/vllm/vllm-openai", "vllm/vllm-openai:latest"],
  ["localhost/aicockpit/base:1", "aicockpit/base:1"],
  ["registry.example:5000/a/b", "registry.example:5000/a/b:latest"],
  ["ghcr.io/a/b@sha256:00", "ghcr.io/a/b@sha256:00"],
])("%s is %s", (reference, key) => expect(imageKey(reference)).toBe(key));

it("a digest names the content", () => {
  expect(isDigest("a@sha256:00")).toBe(true);
  expect(isDigest("a:1")).toBe(false);
});

it.each([
  ["localhost:5000/a", true],
  ["localhost/a", true],
  ["127.0.0.1:5000/a/b:1", true],
  ["[::1]:5000/a", true],
  ["localhost.example/a", false],
  ["debian", false],
  ["ghcr.io/a/b", false],
])("a registry of this machine: %s is one: %s", (reference, is) => {
  expect(isFromThisMachine(reference)).toBe(is);
});
