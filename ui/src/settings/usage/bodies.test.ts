import { describe, expect, it } from "vitest";
import { pretty, saidIn } from "./bodies";

const events = (...data: unknown[]) =>
  `${data.map((each) => `data: ${JSON.stringify(each)}\n\n`).join("")}data: [DONE]\n\n`;
const delta = (part: object, index = 0) => ({ choices: [{ index, delta: part }] });

it("JSON gets lines, anything else stays", () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(pretty('{"a":')).toBe('{"a":');
});

describe("what was said", () => {
  it("is joined from the events of a chat", () => {
    const body = events(delta({ role: "assistant" }), delta({ content: "Hel" }), delta({ content: "lo" }));
    expect(saidIn(body)).toBe("Hello");
  });

  it("is the first choice's, with its reasoning before it", () => {
    const body = events(
      delta({ reasoning_content: "hm" }),
      delta({ content: "yes" }),
      delta({ content: "no" }, 1),
    );
    expect(saidIn(body)).toBe("[reasoning]\nhm\n[/reasoning]\n\nyes");
  });

  it("holds calls of tools, put together from their pieces", () => {
    const call = (index: number, name: string | undefined, args: string) =>
      delta({ tool_calls: [{ index, function: { name, arguments: args } }] });
    const body = events(call(0, "read", '{"p":'), call(1, "list", "{}"), call(0, undefined, '"a"}'));
    expect(saidIn(body)).toBe('[call] read {"p":"a"}\n\n[call] list {}');
  });

  it("is found in whole answers of every kind", () => {
    expect(saidIn(JSON.stringify({ choices: [{ message: { content: "chat" } }] }))).toBe("chat");
    expect(saidIn(JSON.stringify({ choices: [{ text: "completion" }] }))).toBe("completion");
    const output = [
      { type: "message", content: [{ type: "output_text", text: "response" }] },
      { type: "function_call", name: "f", arguments: "{}" },
    ];
    expect(saidIn(JSON.stringify({ output }))).toBe("response\n\n[call] f {}");
  });

  it("is joined from the events of a response, once", () => {
    const body = events(
      { type: "response.output_text.delta", delta: "once" },
      { type: "response.output_item.done", item: { type: "message", content: [{ text: "once" }] } },
    );
    expect(saidIn(body)).toBe("once");
  });

  it("ends where an answer was cut off", () => {
    expect(saidIn('data: {"choices":[{"delta":{"content":"half"}}]}\n\ndata: {"choi')).toBe("half");
    expect(saidIn('{"error":{"message":"no"}}')).toBeUndefined();
    expect(saidIn("")).toBeUndefined();
  });
});
