import { type ApiError, type ErrorCode } from "@/protocol/generated";

/** A call that failed: the host's error, or `disconnected` where the host could not be asked. */
export class CallError extends Error {
  override name = "CallError";
  readonly code: ErrorCode | "disconnected";
  readonly hint: string | undefined;
  readonly detail: string | undefined;

  constructor(error: { code: ErrorCode | "disconnected"; message: string; hint?: string; detail?: string }) {
    super(sentence(error.message));
    this.code = error.code;
    this.hint = error.hint;
    this.detail = error.detail;
  }
}

export function disconnected(): CallError {
  return new CallError({
    code: "disconnected",
    message: "The host cannot be reached.",
    hint: "The connection is being made again; try again once the status bar says so.",
  });
}

/** Any thrown value as something that can be shown. */
export function toCallError(cause: unknown): CallError {
  if (cause instanceof CallError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new CallError({ code: "internal", message });
}

/** Text of a program's as a sentence: with a capital and a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const begun = /^[a-z][a-z’']*\s/.test(trimmed)
    ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1)
    : trimmed;
  return /[\p{L}\p{N}”’")\]]$/u.test(begun) ? `${begun}.` : begun;
}

/** An error of the protocol (in a plan, a link state, a stream's end) as something that can be shown. */
export function fromApiError(error: ApiError): CallError {
  return new CallError(error);
}
