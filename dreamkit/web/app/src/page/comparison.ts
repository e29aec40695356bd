/** The photograph over the left part of the dream, up to a divider that can be dragged. */

import { canvas, element, input } from "./elements";

export class Comparison {
  private readonly slider = input("compare");
  private readonly divider = element("divider");

  constructor() {
    this.slider.addEventListener("input", () => this.refresh());
    this.divider.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation(); // the brush does not paint here
      this.divider.setPointerCapture(event.pointerId);
    });
    this.divider.addEventListener("pointermove", (event) => {
      if (!this.divider.hasPointerCapture(event.pointerId)) return;
      const { left, width } = element("frame").getBoundingClientRect();
      this.show((100 * (event.clientX - left)) / width);
    });
  }

  /** Shows the photograph over `percent` of the picture, from the left. */
  show(percent: number): void {
    this.slider.value = String(Math.round(percent));
    this.refresh();
  }

  /** Switches between the dream and half of each. */
  toggle(): void {
    this.show(Number(this.slider.value) ? 0 : 50);
  }

  private refresh(): void {
    const percent = Number(this.slider.value);
    this.slider.setAttribute("aria-valuetext", `photograph up to ${percent}%, dream from there`);
    canvas("before").hidden = percent === 0;
    canvas("before").style.setProperty("clip-path", `inset(0 ${100 - percent}% 0 0)`);
    this.divider.classList.toggle("at-edge", percent === 0);
    this.divider.style.setProperty("left", `${percent}%`);
  }
}
