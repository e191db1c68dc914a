import { useSyncExternalStore } from "react";
import { type Observable } from "./model/observable";

/** Renders anew whenever the model changes; returns the model. */
export function useModel<T extends Observable>(model: T): T {
  useSyncExternalStore(model.subscribe, model.version);
  return model;
}
