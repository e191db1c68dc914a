/** Something views can watch: a counter that rises with every change. */
export class Observable {
  private listeners = new Set<() => void>();
  private count = 0;

  /** Rises with every change; a view renders anew when it differs. */
  readonly version = (): number => this.count;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  protected changed(): void {
    this.count += 1;
    for (const listener of [...this.listeners]) listener();
  }
}
