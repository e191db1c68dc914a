import { Badge, Tooltip } from "@/components";
import { type LocalModel } from "@/protocol/generated";

/** Said of a model whose files hold no chat template. */
export const NO_TEMPLATE =
  "Its files hold no chat template: it completes text and gives embeddings. To chat with it, its server must be told a template by an argument.";

/** What a model's chat template provides for. */
export function Templates({ model: { chat, problem } }: { model: LocalModel }) {
  if (problem !== undefined) return null;
  if (chat === undefined)
    return (
      <Tooltip content={NO_TEMPLATE}>
        <span>
          <Badge>No chat template</Badge>
        </span>
      </Tooltip>
    );
  return (
    <>
      {chat.tools && (
        <Tooltip content="Its chat template provides for calls of tools.">
          <span>
            <Badge tone="info">Tools</Badge>
          </span>
        </Tooltip>
      )}
      {chat.thinking && (
        <Tooltip content="Its chat template provides for thinking before the answer.">
          <span>
            <Badge tone="info">Thinking</Badge>
          </span>
        </Tooltip>
      )}
    </>
  );
}
