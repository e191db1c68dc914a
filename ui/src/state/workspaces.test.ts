import { expect, test } from "vitest";
import { repositoryName } from "./workspaces";

test.each([
  ["https://example.org/team/api.git", "team/api"],
  ["https://example.org:8443/team/api", "team/api"],
  ["http://127.0.0.1:9/none.git", "127.0.0.1:9/none"],
  ["git@example.org:team/api.git", "team/api"],
  ["ssh://git@example.org:22/team/deep/api.git", "deep/api"],
  ["/srv/repositories/api.git", "/srv/repositories/api.git"],
])("%s is called %s", (url, name) => {
  expect(repositoryName(url)).toBe(name);
});
