/** Counts the fingers on an element, because two of them look closely where one paints. */

export class Fingers {
  private readonly down = new Set<number>();

  constructor(on: HTMLElement) {
    on.addEventListener("pointerdown", (event) => this.add(event), { capture: true });
    for (const end of ["pointerup", "pointercancel"] as const) {
      document.addEventListener(end, ({ pointerId }) => this.down.delete(pointerId));
    }
  }

  /** Whether a pointer is a finger, and not the only one. */
  isOneOfSeveral(pointer: number): boolean {
    return this.down.size > 1 && this.down.has(pointer);
  }

  private add({ pointerId, pointerType, isPrimary }: PointerEvent): void {
    if (pointerType !== "touch") return;
    if (isPrimary) this.down.clear(); // it is the only one on the screen
    this.down.add(pointerId);
  }
}
