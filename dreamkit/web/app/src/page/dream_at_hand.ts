/** A second button *Dream* above the messages, for a phone on which the first one has moved out of sight. */

import { button, element } from "./elements";

/** The sticky picture covers the upper part of the window, and the messages the lowest. */
const COVERED = "-55% 0px -8% 0px";

export class DreamAtHand {
  private readonly button = button("dream-at-hand");
  private isFirstInSight = true;
  private isWanted = false;

  constructor() {
    const observer = new IntersectionObserver((entries) => {
      this.isFirstInSight = entries.at(-1)!.isIntersecting;
      this.refresh();
    }, { rootMargin: COVERED });
    observer.observe(element("work"));
  }

  /** Follows the first button. */
  follow(): void {
    const first = button("dream");
    this.button.textContent = first.textContent;
    this.isWanted = !first.disabled;
    this.refresh();
  }

  private refresh(): void {
    this.button.hidden = !this.isWanted || this.isFirstInSight;
  }
}
