// The stock client of Node.js at a broker with the model `fast`: ends with 0 where everything went as it should.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes("fast"), names.join(", "));

const answer = await client.chat.completions.create({ model: "fast", messages, max_tokens: 8 });
assert.equal(answer.choices[0].message.role, "assistant");

let pieces = 0;
const stream = await client.chat.completions.create({
  model: "fast",
  messages,
  max_tokens: 12,
  stream: true,
});
for await (const piece of stream) pieces += piece.choices[0]?.delta.content ? 1 : 0;
assert.ok(pieces > 2, `${pieces} pieces`);

const long = await client.chat.completions.create({
  model: "fast",
  messages,
  max_tokens: 1800,
  stream: true,
});
for await (const _ of long) break;

await assert.rejects(client.chat.completions.create({ model: "fats", messages }), (error) => {
  assert.ok(error instanceof OpenAI.NotFoundError && error.code === "model_not_found", String(error));
  return true;
});
const vectors = await client.embeddings.create({ model: "fast", input: "hello" });
assert.equal(vectors.data[0].embedding.length, 576);
