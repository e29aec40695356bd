/** The stage: the picture, the photograph to compare it with, and the mask painted over it. */

import { canvas, element, input, isPressed } from "./elements";
import { toImageData } from "./photograph";
import type { MaskLevels, Pixels } from "./protocol";

const TINT = "rgb(245, 179, 87)";

export class Stage {
  private readonly picture = canvas("picture");
  private readonly before = canvas("before");
  private readonly mask = canvas("mask");
  private readonly frame = element("frame");
  private size = { height: 0, width: 0 };
  private last: [number, number] | null = null;

  /** `onStroke` is called at each change of the mask, and with true at the end of a stroke. */
  constructor(private readonly onStroke: (isEnd: boolean) => void) {
    this.frame.addEventListener("pointerdown", (event) => this.down(event));
    this.frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.frame.addEventListener(end, () => this.up());
    }
    input("compare").addEventListener("input", () => this.compare());
    new ResizeObserver(() => this.fit()).observe(element("stage"));
  }

  /** Shows a new photograph. */
  open(photo: Pixels): void {
    this.size = { height: photo.height, width: photo.width };
    for (const each of [this.picture, this.before, this.mask]) {
      each.height = photo.height;
      each.width = photo.width;
    }
    this.frame.classList.remove("empty");
    element("welcome").hidden = true;
    element("viewfinder").hidden = true;
    this.before.getContext("2d")!.putImageData(toImageData(photo), 0, 0);
    this.show(photo);
    this.compareWith(0);
    this.fit();
  }

  /** Hides the picture, and lets the user choose another. */
  close(): void {
    this.frame.classList.add("empty");
    this.frame.style.removeProperty("width");
    this.frame.style.removeProperty("height");
    element("welcome").hidden = false;
  }

  /** Shows a picture; that of a smaller octave is enlarged. */
  show(picture: Pixels): void {
    const context = this.picture.getContext("2d")!;
    if (picture.width === this.size.width && picture.height === this.size.height) {
      context.putImageData(toImageData(picture), 0, 0);
      return;
    }
    const small = new OffscreenCanvas(picture.width, picture.height);
    small.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
    context.drawImage(small, 0, 0, this.size.width, this.size.height);
  }

  /** Shows the photograph over `percent` of the picture, from the left. */
  compareWith(percent: number): void {
    input("compare").value = String(percent);
    this.compare();
  }

  /** The mask; null where nothing is painted. */
  readMask(): MaskLevels | null {
    const { height, width } = this.size;
    if (!height) return null;
    const { data } = this.mask.getContext("2d", { willReadFrequently: true })!.getImageData(0, 0, width, height);
    const levels = new Uint8ClampedArray(height * width);
    let isPainted = false;
    for (let i = 0; i < levels.length; i++) {
      levels[i] = data[4 * i + 3];
      isPainted ||= levels[i] > 0;
    }
    return isPainted ? levels : null;
  }

  clearMask(): void {
    this.mask.getContext("2d")!.clearRect(0, 0, this.mask.width, this.mask.height);
  }

  /** Replaces the mask. */
  setMask(levels: Uint8ClampedArray | null): void {
    this.clearMask();
    if (!levels) return;
    const image = new ImageData(this.size.width, this.size.height);
    const [red, green, blue] = TINT.match(/\d+/g)!.map(Number);
    levels.forEach((level, i) => image.data.set([red, green, blue, level], 4 * i));
    this.mask.getContext("2d")!.putImageData(image, 0, 0);
  }

  private compare(): void {
    const percent = Number(input("compare").value);
    this.before.hidden = percent === 0;
    element("divider").hidden = percent === 0 || percent === 100;
    this.before.style.setProperty("clip-path", `inset(0 ${100 - percent}% 0 0)`);
    element("divider").style.setProperty("left", `${percent}%`);
  }

  /** Scales the picture to the room on the stage. */
  private fit(): void {
    if (!this.size.height || this.frame.classList.contains("empty")) return;
    const stage = element("stage");
    const width = stage.clientWidth - 32;
    const height = Math.max(240, window.innerHeight - (window.innerWidth < 900 ? 220 : 150));
    const scale = Math.min(width / this.size.width, height / this.size.height);
    this.frame.style.setProperty("width", `${Math.floor(this.size.width * scale)}px`);
    this.frame.style.setProperty("height", `${Math.floor(this.size.height * scale)}px`);
  }

  private down(event: PointerEvent): void {
    if (!isPressed("brush") || this.frame.classList.contains("empty")) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    this.last = this.position(event);
    this.stroke(this.last, this.last);
  }

  private move(event: PointerEvent): void {
    if (!this.last) return;
    const now = this.position(event);
    this.stroke(this.last, now);
    this.last = now;
  }

  private up(): void {
    if (!this.last) return;
    this.last = null;
    this.onStroke(true);
  }

  private stroke(from: [number, number], to: [number, number]): void {
    const context = this.mask.getContext("2d", { willReadFrequently: true })!;
    context.globalCompositeOperation = isPressed("erase") ? "destination-out" : "source-over";
    context.strokeStyle = TINT;
    context.lineCap = "round";
    context.lineWidth = (Number(input("radius").value) * this.size.width) / this.frame.clientWidth;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    this.onStroke(false);
  }

  private position(event: PointerEvent): [number, number] {
    const box = this.frame.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.size.width,
      ((event.clientY - box.top) / box.height) * this.size.height,
    ];
  }
}
