/** The text of a body for people: JSON with its lines broken; anything else as it is. */
export function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** What the pieces of an answer say, by what they are. */
interface Said {
  reasoning: string;
  content: string;
  calls: string[];
}

/**
 * What a model said, out of the body of an answer: of chat, completions and responses, whole or as events. Undefined
 * where nothing was said that way: then the body itself is what there is to see.
 */
export function saidIn(body: string): string | undefined {
  const said: Said = { reasoning: "", content: "", calls: [] };
  const events = eventsOf(body);
  if (events.length > 0) for (const event of events) readEvent(event, said);
  else readWhole(parsed(body), said);
  const calls = said.calls.filter((call) => call !== "");
  const parts = [
    said.reasoning === "" ? "" : `[reasoning]\n${said.reasoning}\n[/reasoning]`,
    said.content,
    ...calls.map((call) => `[call] ${call}`),
  ].filter((part) => part !== "");
  return parts.length === 0 ? undefined : parts.join("\n\n");
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/** The data of server-sent events, as JSON. What is cut off in the middle is left out. */
function eventsOf(body: string): unknown[] {
  return body
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => parsed(line.slice("data:".length).trim()))
    .filter((data) => data !== undefined);
}

function readEvent(event: unknown, said: Said): void {
  if (!isObject(event)) return;
  // https://platform.openai.com/docs/api-reference/responses-streaming
  if (event.type === "response.output_text.delta") said.content += text(event.delta);
  if (event.type === "response.reasoning_summary_text.delta") said.reasoning += text(event.delta);
  if (event.type === "response.output_item.done") readItem(event.item, said, true);
  for (const choice of list(event.choices)) {
    if (!isObject(choice) || (choice.index !== undefined && choice.index !== 0)) continue;
    said.content += text(choice.text);
    if (isObject(choice.delta)) readMessage(choice.delta, said);
  }
}

function readWhole(body: unknown, said: Said): void {
  if (!isObject(body)) return;
  for (const choice of list(body.choices)) {
    if (!isObject(choice) || (choice.index !== undefined && choice.index !== 0)) continue;
    said.content += text(choice.text);
    if (isObject(choice.message)) readMessage(choice.message, said);
  }
  for (const item of list(body.output)) readItem(item, said, false);
  if (body.content !== undefined && body.choices === undefined) said.content += text(body.content);
}

/** A message of chat, or a piece of one: calls of tools come in pieces, told apart by their place. */
function readMessage(message: Record<string, unknown>, said: Said): void {
  said.reasoning += text(message.reasoning_content) || text(message.reasoning);
  said.content += text(message.content);
  for (const [at, call] of list(message.tool_calls).entries()) {
    if (!isObject(call) || !isObject(call.function)) continue;
    const place = typeof call.index === "number" ? call.index : at;
    while (said.calls.length <= place) said.calls.push("");
    const name = text(call.function.name);
    const begun = said.calls[place] ?? "";
    said.calls[place] = `${begun}${name === "" ? "" : `${name} `}${text(call.function.arguments)}`;
  }
}

/** An item of a response's output. Text of one that was streamed is known already. */
function readItem(item: unknown, said: Said, streamed: boolean): void {
  if (!isObject(item)) return;
  if (item.type === "function_call") said.calls.push(`${text(item.name)} ${text(item.arguments)}`);
  if (streamed) return;
  for (const part of list(item.content)) if (isObject(part)) said.content += text(part.text);
  for (const part of list(item.summary)) if (isObject(part)) said.reasoning += text(part.text);
}
