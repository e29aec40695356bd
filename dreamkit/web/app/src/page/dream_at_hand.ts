/** A second button *Dream* beside the messages, for a phone on which the first one has moved out of sight. */

import { button, element } from "./elements";

/** The sticky picture covers the upper part of the window, and the messages the lowest. */
const COVERED = "-55% 0px -8% 0px";

export class DreamAtHand {
  private readonly button = button("dream-at-hand");
  private isFirstInSight = true;
  private isWanted = false;

  constructor() {
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      this.isFirstInSight = isIntersecting;
      this.refresh();
    }, { rootMargin: COVERED });
    observer.observe(element("work"));
  }

  /** Follows the first button; `hasPhoto` is whether there is something to dream on. */
  follow(hasPhoto: boolean): void {
    const first = button("dream");
    this.button.disabled = first.disabled;
    this.button.textContent = first.textContent;
    this.isWanted = hasPhoto;
    this.refresh();
  }

  private refresh(): void {
    this.button.hidden = !this.isWanted || this.isFirstInSight;
  }
}
