export { isMac, keyText } from "./keys";
export {
  contextOf,
  keysOf,
  registerCommands,
  runCommand,
  useCommandKeys,
  useCommandList,
  useCommands,
  type Command,
  type KeyContext,
} from "./registry";
