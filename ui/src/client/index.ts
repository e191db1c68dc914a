export { Client, type CallOptions, type OperationName, type Params, type Reply } from "./client";
export { CallError, sentence, fromApiError, toCallError } from "./errors";
export { Stream, type DataListener, type StreamClosed } from "./stream";
export { type ConnectionState, type LocalFile } from "./transport";
export {
  callKey,
  callQuery,
  ClientContext,
  useAction,
  useCall,
  useCapability,
  useClient,
  useConnection,
  useHostEvent,
} from "./react";
