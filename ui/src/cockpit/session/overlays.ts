import { Observable } from "../model/observable";

export type CockpitOverlay = "files" | "language";

/** At most one list above the cockpit. */
export class Overlays extends Observable {
  shown: CockpitOverlay | undefined;
  /** What the list's field begins with. */
  text = "";

  show(overlay: CockpitOverlay | undefined, text = ""): void {
    this.shown = overlay;
    this.text = text;
    this.changed();
  }
}
