/** The photograph and its dreams as a row of small pictures; a click goes to any of them. */

import type { HistoryEntry } from "./dream_history";
import { element } from "./elements";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const HEIGHT = 40; // pixels of a small picture

export class HistoryStrip {
  private readonly row = element("history");
  /** By photograph or dream: two dreams may have one picture, and a canvas stands in one place. */
  private readonly small = new WeakMap<object, HTMLCanvasElement>();
  private shown: unknown[] = [];

  /** `onChoose` gets the position in the history; 0 is the photograph. */
  constructor(private readonly onChoose: (position: number) => void) {}

  show(photo: Pixels | null, entries: readonly HistoryEntry[], position: number): void {
    const now = [photo, entries, position];
    if (now.every((each, i) => each === this.shown[i])) return;
    this.shown = now;
    const canvases = photo && entries.length ? [this.canvasOf(photo, photo)] : [];
    if (canvases.length) canvases.push(...entries.map((entry) => this.canvasOf(entry, entry.picture)));
    const hadFocus = this.row.contains(document.activeElement);
    this.row.replaceChildren(...canvases.map((canvas, index) => this.button(canvas, index, index === position)));
    this.row.classList.toggle("absent", !canvases.length);
    const current = this.row.querySelector<HTMLElement>("[aria-current]");
    if (hadFocus) current?.focus();
    if (current) this.row.scrollLeft = current.offsetLeft - this.row.clientWidth / 2;
  }

  private button(canvas: HTMLCanvasElement, position: number, isCurrent: boolean): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", position ? `Dream ${position}` : "Photograph");
    if (isCurrent) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => this.onChoose(position));
    button.append(canvas);
    return button;
  }

  private canvasOf(owner: object, picture: Pixels): HTMLCanvasElement {
    const known = this.small.get(owner);
    if (known) return known;
    const whole = new OffscreenCanvas(picture.width, picture.height);
    whole.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
    const canvas = document.createElement("canvas");
    canvas.height = HEIGHT;
    canvas.width = Math.max(24, Math.min(3 * HEIGHT, Math.round((HEIGHT * picture.width) / picture.height)));
    canvas.getContext("2d")!.drawImage(whole, 0, 0, canvas.width, canvas.height);
    this.small.set(owner, canvas);
    return canvas;
  }
}
