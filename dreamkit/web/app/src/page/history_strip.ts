/**
 * The photograph and its dreams as a row of small pictures, and before them one of each photograph that was open before; a
 * click goes to any of them.
 */

import { element } from "./elements";
import type { OpenedPhoto } from "./opened_photos";
import { sizeInWords, toImageData } from "./photograph";
import type { Pixels } from "./protocol";
import type { Workspace } from "./workspace";

const HEIGHT = 40; // pixels of a small picture

export class HistoryStrip {
  private readonly row = element("history");
  /** By photograph or dream: two dreams may have one picture, and a canvas stands in one place. */
  private readonly small = new WeakMap<object, HTMLCanvasElement>();
  private shown: unknown[] = [];

  /** `onChoose` gets the position in the history; 0 is the photograph. `onGoBack` gets the id of an earlier photograph. */
  constructor(
    private readonly onChoose: (position: number) => void,
    private readonly onGoBack: (id: number) => void,
  ) {}

  show({ photo, earlier, history: { entries, position } }: Workspace): void {
    const now = [photo, entries, position, ...earlier];
    if (now.length === this.shown.length && now.every((each, i) => each === this.shown[i])) return;
    this.shown = now;
    const buttons = earlier.map((each) => this.earlierButton(each));
    if (photo && (entries.length || earlier.length)) {
      buttons.push(this.button(this.canvasOf(photo, photo), 0, position === 0));
      buttons.push(...entries.map((entry, i) => this.button(this.canvasOf(entry, entry.picture), i + 1, i + 1 === position)));
    }
    const hadFocus = this.row.contains(document.activeElement);
    this.row.replaceChildren(...buttons);
    this.row.classList.toggle("absent", !buttons.length);
    const current = this.row.querySelector<HTMLElement>("[aria-current]");
    if (hadFocus) current?.focus();
    if (current) this.row.scrollLeft = current.offsetLeft - this.row.clientWidth / 2;
  }

  private earlierButton({ id, name, photo, history: { current, entries } }: OpenedPhoto): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "earlier";
    const dreams = entries.length ? `, ${entries.length} dream${entries.length > 1 ? "s" : ""}` : "";
    button.title = `Back to ${name}, ${sizeInWords(photo)}${dreams}`;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => this.onGoBack(id));
    button.append(this.canvasOf(current ?? photo, current?.picture ?? photo));
    return button;
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
