import { type GitState } from "@/protocol/generated";
import { GitDecorations } from "../model/git";
import { Observable } from "../model/observable";

/** Quiet time after a change of files before Git is asked; a build changes hundreds of files in a row. */
const QUIET_MS = 400;
const MOST_MS = 3_000;

/** The Git state of the workspace folder, asked for again after files have changed. */
export class GitWatch extends Observable {
  decorations = new GitDecorations(null);
  private readonly ask: () => Promise<GitState | null>;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private firstAt: number | undefined;
  private asking = false;
  private again = false;
  private disposed = false;

  constructor(ask: () => Promise<GitState | null>) {
    super();
    this.ask = ask;
  }

  get state(): GitState | null {
    return this.decorations.state;
  }

  /** Something changed: asks soon. */
  touch(): void {
    const now = performance.now();
    this.firstAt ??= now;
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => void this.refresh(),
      Math.max(0, Math.min(QUIET_MS, this.firstAt + MOST_MS - now)),
    );
  }

  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    this.firstAt = undefined;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    try {
      const state = await this.ask();
      if (this.disposed) return;
      if (JSON.stringify(state) !== JSON.stringify(this.state)) {
        this.decorations = new GitDecorations(state);
        this.changed();
      }
    } catch {
      // The colours stay as they were; the link's own state says why.
    } finally {
      this.asking = false;
      if (this.again && !this.disposed) {
        this.again = false;
        this.touch();
      }
    }
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }
}
