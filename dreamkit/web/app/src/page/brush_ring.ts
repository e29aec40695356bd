/** The ring at the pointer that shows the size of the brush. */

import { element, input } from "./elements";
import type { Fingers } from "./fingers";

export class BrushRing {
  private readonly ring = element("ring");
  private readonly size = input("radius");

  /** `frame` has the class `brushing` while the brush is on. */
  constructor(
    private readonly frame: HTMLElement,
    private readonly fingers: Fingers,
  ) {
    const follow = (event: PointerEvent) => this.follow(event);
    for (const type of ["pointerdown", "pointermove"] as const) frame.addEventListener(type, follow);
    const hide = () => (this.ring.hidden = true);
    for (const type of ["pointerleave", "pointercancel"] as const) frame.addEventListener(type, hide);
    frame.addEventListener("pointerup", ({ pointerType }) => pointerType === "touch" && hide());
    this.size.addEventListener("input", () => this.fit());
    this.fit();
  }

  /** In pixels of the screen. */
  get diameter(): number {
    return Number(this.size.value);
  }

  private follow({ clientX, clientY, pointerId, pointerType, buttons }: PointerEvent): void {
    const isBrushing = this.frame.classList.contains("brushing") && !this.fingers.isOneOfSeveral(pointerId);
    // A finger has no place until it touches.
    this.ring.hidden = !isBrushing || (pointerType === "touch" && !buttons);
    const { left, top } = this.ring.parentElement!.getBoundingClientRect();
    this.ring.style.translate = `${clientX - left}px ${clientY - top}px`;
  }

  private fit(): void {
    this.ring.style.setProperty("--size", `${this.diameter}px`);
  }
}
