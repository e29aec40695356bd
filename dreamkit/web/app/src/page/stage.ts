/** The stage: the picture, and the photograph to compare it with. */

import { Comparison } from "./comparison";
import { canvas, element } from "./elements";
import { Magnifier } from "./magnifier";
import { toImageData } from "./photograph";
import type { MaskLevels, Pixels } from "./protocol";

export class Stage {
  readonly comparison = new Comparison();
  private readonly magnifier = new Magnifier();
  private readonly picture = canvas("picture");
  private readonly before = canvas("before");
  private readonly frame = element("frame");
  private size = { height: 0, width: 0 };
  private alpha: MaskLevels | null = null;

  /** Shows a new photograph; `alpha` is its opacity, null where it has no transparency. */
  open(photo: Pixels, alpha: MaskLevels | null, description: string): void {
    this.size = { height: photo.height, width: photo.width };
    this.alpha = alpha;
    for (const each of [this.picture, this.before, canvas("stroke")]) {
      each.height = photo.height;
      each.width = photo.width;
    }
    this.frame.classList.remove("empty", "choosing");
    element("welcome").hidden = true;
    element("viewfinder").hidden = true;
    this.before.getContext("2d")!.putImageData(toImageData(photo, alpha), 0, 0);
    this.show(photo);
    this.describe(description);
    this.comparison.show(0);
    this.frame.style.setProperty("--ratio", String(photo.width / photo.height));
    this.magnifier.reset();
  }

  /** Says what the picture shows, for those who do not see it. */
  describe(text: string): void {
    this.picture.setAttribute("aria-label", text);
  }

  /** Hides the picture, and lets the user choose another. */
  close(): void {
    this.frame.classList.add("empty");
    this.magnifier.reset();
    this.frame.style.removeProperty("--ratio");
    element("welcome").hidden = false;
  }

  /** Shows a picture; that of a smaller octave is enlarged. */
  show(picture: Pixels): void {
    const context = this.picture.getContext("2d")!;
    if (picture.width === this.size.width && picture.height === this.size.height) {
      context.putImageData(toImageData(picture, this.alpha), 0, 0);
      return;
    }
    const small = new OffscreenCanvas(picture.width, picture.height);
    small.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
    context.globalCompositeOperation = this.alpha ? "source-atop" : "source-over";
    context.drawImage(small, 0, 0, this.size.width, this.size.height);
    context.globalCompositeOperation = "source-over";
  }
}
