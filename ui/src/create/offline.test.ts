import { describe, expect, it } from "vitest";
import { type EngineCapabilities, type EngineInfo, type ImageInfo } from "@/protocol/generated";
import { imageChoices, offlineProblems } from "./offline";
import { recognise } from "./recognise";

const engine = (able: boolean): EngineInfo => ({
  id: "docker",
  kind: able ? "docker" : "kubernetes",
  name: "Docker",
  endpoint: "",
  health: "ready",
  notes: [],
  capabilities: new Proxy({} as EngineCapabilities, { get: () => able }),
});
const image = (size: number, ...references: string[]): ImageInfo => ({
  id: references.join(),
  references,
  size,
  created_ms: 0,
});
const BASE = image(5, "localhost/aicockpit/base:c1542afcfb7d");
const IMAGES = [BASE, image(3, "docker.io/library/debian:bookworm", "mine:1"), image(1, "<none>:<none>")];

function problems(typed: string, change: { image?: string; images?: ImageInfo[]; able?: boolean } = {}) {
  const [reading] = recognise(typed);
  if (!reading) throw new Error("nothing recognised");
  const images = "images" in change ? change.images : IMAGES;
  return offlineProblems(reading, { image: change.image ?? "" }, engine(change.able ?? true), images);
}

describe("while offline", () => {
  it.each(["", "sketch", "debian:bookworm", "mine:1", "/home/me/project", "/srv/r.git", "file:///srv/r.git"])(
    "%j can be made",
    (typed) => expect(problems(typed)).toEqual({}),
  );

  it.each([
    "https://example.org/team/r.git",
    "git@example.org:r.git",
    "http://localhost:3000/r.git",
    "https://github.com/acme/r/tree/main",
  ])("%j would be cloned from elsewhere", (typed) => {
    expect(problems(typed).source).toMatch(/^Offline: .* is not on this machine\./);
    expect(problems(typed, { able: false }).source).toBeDefined();
  });

  it("an image that is not here is named where it was typed", () => {
    expect(problems("debian:13").source).toBe("Offline: debian:13 is not on this machine (Docker).");
    expect(problems("sketch", { image: "debian:13" })).toEqual({
      image: "Offline: debian:13 is not on this machine (Docker).",
    });
    expect(problems("sketch", { image: "debian:bookworm" })).toEqual({});
  });

  it.each(["ghcr.io/a/b@sha256:00", "localhost:5000/a"])("%s may be here", (named) => {
    expect(problems("sketch", { image: named })).toEqual({});
  });

  it("the base image is missed where it is needed", () => {
    const images = [image(3, "debian:bookworm")];
    expect(problems("sketch", { images }).source).toContain("the base image is not on this machine");
    expect(problems("/srv/r.git", { images, image: "debian:bookworm" }).source).toContain("the base image");
    expect(problems("debian:bookworm", { images })).toEqual({});
  });

  it("nothing is said of images that nobody knows of", () => {
    expect(problems("debian:13", { images: undefined })).toEqual({});
    expect(problems("debian:13", { able: false, images: [] })).toEqual({});
  });
});

it("images to choose from are those of people, by name", () => {
  expect(imageChoices(IMAGES)).toEqual([
    { value: "docker.io/library/debian:bookworm", bytes: 3 },
    { value: "mine:1", bytes: 3 },
  ]);
});
