import { type BrokerSettings } from "@/protocol/generated";

/** The models' settings as they are at first, for tests. */
export const NO_MODELS: BrokerSettings = {
  backends: [],
  aliases: [],
  first_byte_seconds: 300,
  idle_seconds: 120,
  queue_seconds: 60,
  limits: { each: { day: {}, month: {} }, of: {}, all: { day: {}, month: {} } },
  prices: [],
  currency: "USD",
  keep_prompts: false,
};
