/** A preview over the picture of the stage, marked as one. What lies under it stays the picture. */

import { button, canvas, element } from "./elements";
import { toImageData } from "./photograph";
import type { MaskLevels, Pixels } from "./protocol";

/** What saves or shares a dream, which a preview is not. */
const SAVING = ["save", "save-jpeg", "save-card", "save-film", "send"];
const ADVICE = "This is a preview: press Dream for the dream itself, or Undo to go back";

export class PreviewLayer {
  private readonly canvas = canvas("preview");
  private readonly view = element("view");
  /** The titles that the buttons have otherwise. */
  private readonly titles = new Map(SAVING.map((id) => [id, button(id).title]));

  get isShown(): boolean {
    return !this.canvas.hidden;
  }

  /** Shows a preview; `alpha` is its opacity, null where it has no transparency. */
  show(picture: Pixels, alpha: MaskLevels | null, state: "rough" | "growing" | "fine"): void {
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    this.canvas.getContext("2d")!.putImageData(toImageData(picture, alpha), 0, 0);
    this.view.dataset.preview = state;
    this.reveal(true);
  }

  /** Marks the preview as one of an earlier recipe. */
  outdate(): void {
    if (this.isShown) this.view.dataset.preview = "changing";
  }

  hide(): void {
    delete this.view.dataset.preview;
    this.reveal(false);
  }

  private reveal(isShown: boolean): void {
    this.canvas.hidden = element("preview-mark").hidden = !isShown;
    canvas("picture").ariaHidden = String(isShown);
    for (const [id, title] of this.titles) button(id).title = isShown ? ADVICE : title;
  }
}
