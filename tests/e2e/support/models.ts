import { type Page } from "@playwright/test";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { expect, test } from "./test.ts";

export const ANSWER = "The barometer stands at 1013";
/** What the server says that each request took. */
export const TOKENS = { prompt_tokens: 1_200, completion_tokens: 30, total_tokens: 1_230 };

interface Question {
  model: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
}

/** A model server of this machine that answers as it is told to, at a port that it keeps. */
export class ModelServer {
  #server: Server | undefined;
  #port = 0;
  /** The models that requests asked for. */
  readonly asked: string[] = [];

  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (request.url === "/v1/models") {
          response.setHeader("content-type", "application/json");
          const data = ["station-7b", "station-70b"].map((id) => ({ id, object: "model", owned_by: "test" }));
          response.end(JSON.stringify({ object: "list", data }));
        } else if (request.url === "/v1/chat/completions") {
          this.#chat(JSON.parse(Buffer.concat(chunks).toString()) as Question, response);
        } else {
          response.writeHead(404).end();
        }
      });
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    this.#port = address.port;
    this.#server = server;
  }

  #chat({ model, stream, stream_options }: Question, response: ServerResponse): void {
    this.asked.push(model);
    const head = { id: "1", created: 1, model };
    if (stream !== true) {
      response.setHeader("content-type", "application/json");
      const choices = [{ index: 0, message: { role: "assistant", content: ANSWER }, finish_reason: "stop" }];
      response.end(JSON.stringify({ ...head, object: "chat.completion", choices, usage: TOKENS }));
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    const piece = (part: object) =>
      response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...part })}\n\n`);
    for (const word of ANSWER.split(" "))
      piece({ choices: [{ index: 0, delta: { content: `${word} ` }, finish_reason: null }] });
    if (stream_options?.include_usage === true) piece({ choices: [], usage: TOKENS });
    response.end("data: [DONE]\n\n");
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.closeAllConnections();
    server.close();
    await closed;
  }
}

/** Adds a model server by its address, and waits until it is listed. */
export async function addServer(page: Page, name: string, url: string): Promise<void> {
  await page.getByRole("button", { name: "Add a server" }).click();
  const form = page.getByRole("form", { name: "Add a server" });
  await form.getByRole("textbox", { name: "Name" }).fill(name);
  await form.getByRole("textbox", { name: "Address" }).fill(url);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name, exact: true })).toBeVisible();
}

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const closed = once(server, "close");
  server.close();
  await closed;
  if (address === null || typeof address === "string") throw new Error("the server had no port");
  return address.port;
}

export const withModels = test.extend<{ models: ModelServer }>({
  models: async ({}, use) => {
    const models = new ModelServer();
    await models.start();
    try {
      await use(models);
    } finally {
      await models.stop();
    }
  },
});
