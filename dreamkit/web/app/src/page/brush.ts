/** The brush: strokes of the pointer over the picture. */

import { canvas, element, input, isPressed } from "./elements";
import type { MaskLevels, Pixels } from "./protocol";

export interface StrokeListener {
  begin(): void;
  move(): void;
  end(): void;
}

type Point = [number, number];

export class Brush {
  private readonly canvas = canvas("stroke");
  private readonly frame = element("frame");
  private last: Point | null = null;
  private pointer = 0;

  constructor(private readonly listener: StrokeListener) {
    this.frame.addEventListener("pointerdown", (event) => this.down(event));
    this.frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.frame.addEventListener(end, (event) => this.up(event));
    }
  }

  get isDown(): boolean {
    return this.last !== null;
  }

  get isErasing(): boolean {
    return isPressed("erase");
  }

  get strength(): number {
    return Number(input("brush-strength").value);
  }

  /** How much of each pixel the stroke covers, 0 to 255. */
  get coverage(): MaskLevels {
    const { width, height } = this.canvas;
    const { data } = this.context.getImageData(0, 0, width, height);
    return new Uint8ClampedArray(width * height).map((_, i) => data[4 * i + 3]);
  }

  clear(): void {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** `shown` where the stroke is not, and `under` where it is. */
  reveal(shown: Pixels, under: Pixels): Pixels {
    const { coverage } = this;
    const bytes = shown.bytes.map((value, i) => {
      const share = coverage[Math.floor(i / 3)] / 255;
      return share ? value + share * (under.bytes[i] - value) : value;
    });
    return { ...shown, bytes };
  }

  private get context(): CanvasRenderingContext2D {
    return this.canvas.getContext("2d", { willReadFrequently: true })!;
  }

  private down(event: PointerEvent): void {
    if (this.last || event.button !== 0 || !this.frame.classList.contains("brushing")) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.last = this.position(event);
    this.clear();
    this.draw(this.last, this.last);
    this.listener.begin();
  }

  private move(event: PointerEvent): void {
    if (!this.last || event.pointerId !== this.pointer) return;
    const now = this.position(event);
    this.draw(this.last, now);
    this.last = now;
    this.listener.move();
  }

  private up(event: PointerEvent): void {
    if (!this.last || event.pointerId !== this.pointer) return;
    this.last = null;
    this.listener.end();
  }

  private draw(from: Point, to: Point): void {
    const { context } = this;
    context.strokeStyle = "rgb(245, 179, 87)";
    context.lineCap = "round";
    // The brush has the same size on the screen, also where the picture is looked at closely.
    context.lineWidth = (Number(input("radius").value) * this.canvas.width) / this.frame.getBoundingClientRect().width;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]); // a line without length would leave no dot
    context.stroke();
  }

  private position(event: PointerEvent): Point {
    const box = this.frame.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.canvas.width,
      ((event.clientY - box.top) / box.height) * this.canvas.height,
    ];
  }
}
