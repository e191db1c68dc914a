import { Observable } from "../model/observable";

export interface UndoStep {
  /** What is taken back, for instance “Move main.rs”. */
  readonly label: string;
  readonly run: () => Promise<void>;
}

const KEPT = 50;

/** What was done to files and can be taken back, the newest last. Editors undo what is typed by themselves. */
export class FileUndo extends Observable {
  private steps: UndoStep[] = [];

  push(step: UndoStep): void {
    this.steps = [...this.steps, step].slice(-KEPT);
    this.changed();
  }

  /** What {@link undo} would take back. */
  get next(): UndoStep | undefined {
    return this.steps.at(-1);
  }

  /** Takes back the newest step, or the one given where it was not taken back before. */
  async undo(step = this.next): Promise<void> {
    if (!step || !this.steps.includes(step)) return;
    this.steps = this.steps.filter((other) => other !== step);
    this.changed();
    await step.run();
  }
}
