import { Observable } from "../model/observable";

export interface Transfer {
  readonly id: number;
  readonly label: string;
  /** Bytes done, and in all where that is known. */
  done: number;
  total: number | undefined;
  readonly cancel: () => void;
}

/** Uploads and downloads under way. */
export class Transfers extends Observable {
  private running = new Map<number, Transfer>();
  private next = 1;

  get all(): Transfer[] {
    return [...this.running.values()];
  }

  /** Shows `work` while it runs. */
  async run<T>(
    label: string,
    total: number | undefined,
    work: (progress: (done: number) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const abort = new AbortController();
    const id = this.next;
    this.next += 1;
    const transfer: Transfer = { id, label, done: 0, total, cancel: () => abort.abort() };
    this.running.set(id, transfer);
    this.changed();
    try {
      return await work((done) => {
        transfer.done = done;
        this.changed();
      }, abort.signal);
    } finally {
      this.running.delete(id);
      this.changed();
    }
  }
}
