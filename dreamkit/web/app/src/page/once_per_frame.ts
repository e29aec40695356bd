/** Values that come faster than they can be shown: the latest of them is shown once a frame. */

export class OncePerFrame<Value> {
  private waiting: { value: Value } | null = null;

  constructor(private readonly show: (value: Value) => void) {}

  add(value: Value): void {
    if (!this.waiting) requestAnimationFrame(() => this.flush());
    this.waiting = { value };
  }

  /** Shows the value that waits, at once. */
  flush(): void {
    const { waiting } = this;
    this.waiting = null;
    if (waiting) this.show(waiting.value);
  }
}
