/** What the brush paints, at hand: while the brush is on, the concepts stand below its controls. */

import { element } from "./elements";

export class BrushPalette {
  private readonly place = element("palette");
  /** What is in the palette, and what came after it before. */
  private moved: { section: HTMLElement; next: Element | null; parent: Element } | null = null;

  /** Puts the concepts into the palette, or the layers of a network without concepts; or puts them back. */
  show(isOn: boolean): void {
    const wanted = !isOn ? null : element(element("concept-section").hidden ? "layer-section" : "concept-section");
    if (wanted === (this.moved?.section ?? null)) return;
    const focused = document.activeElement;
    if (this.moved) this.moved.parent.insertBefore(this.moved.section, this.moved.next);
    this.moved = wanted && { section: wanted, next: wanted.nextElementSibling, parent: wanted.parentElement! };
    if (wanted) this.place.append(wanted);
    this.place.hidden = !wanted;
    if (focused instanceof HTMLElement && focused !== document.activeElement) focused.focus();
  }

  /** Brings the palette into sight. */
  reveal(): void {
    this.place.scrollIntoView({ block: "nearest" });
  }
}
