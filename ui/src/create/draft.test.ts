import { expect, it } from "vitest";
import { NO_DETAILS, toRequest } from "./draft";
import { recognise } from "./recognise";

const [reading] = recognise("https://example.org/r.git");
if (!reading) throw new Error("nothing recognised");

it("turns figures, ports and variables into the spec", () => {
  const { request, problems } = toRequest(reading, {
    ...NO_DETAILS,
    memoryGb: "1.5",
    cpus: "0,5",
    ports: "8080, 3000:80",
    env: "A=1\nB=x=y",
  });
  expect(problems).toEqual({});
  expect(request.spec.limits).toEqual({ memory_bytes: 1.5 * 1024 ** 3, cpu_millis: 500 });
  expect(request.spec.published_ports).toEqual([{ container: 8080 }, { host: 3000, container: 80 }]);
  expect(request.spec.env).toEqual({ A: "1", B: "x=y" });
});

it("names the field that is wrong", () => {
  const { problems } = toRequest(reading, { ...NO_DETAILS, memoryGb: "0.01", ports: "99999", env: "no" });
  expect(Object.keys(problems).sort()).toEqual(["env", "memoryGb", "ports"]);
});
