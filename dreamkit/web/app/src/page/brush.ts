/** The brush: strokes of the pointer over the picture, and the faint trace that shows them until something grows. */

import { canvas, element, input, isPressed } from "./elements";
import { BrushRing } from "./brush_ring";
import type { MaskLevels } from "./protocol";

export interface StrokeListener {
  /** The pointer goes down; the stroke has no pixels yet. */
  begin(): void;
  move(): void;
  end(): void;
}

type Point = [number, number];
type Segment = [from: Point, to: Point, width: number];

export class Brush {
  /** The trace. */
  private readonly canvas = canvas("stroke");
  private readonly frame = element("frame");
  private readonly ring = new BrushRing(this.frame);
  /** All that the stroke covers. */
  private covered = this.blank();
  private drawn: Segment[] = [];
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

  /** How many segments the stroke has. */
  get segments(): number {
    return this.drawn.length;
  }

  /** How much of each pixel the stroke covers, 0 to 255. */
  get coverage(): MaskLevels {
    const { width, height } = this.covered.canvas;
    const { data } = this.covered.getImageData(0, 0, width, height);
    return new Uint8ClampedArray(width * height).map((_, i) => data[4 * i + 3]);
  }

  /** Begins a stroke that covers nothing yet. */
  clear(): void {
    this.covered = this.blank();
    this.drawn = [];
    this.endTrace(0);
  }

  /** Ends the trace of the first `segments`, because they grow by now. */
  endTrace(segments: number): void {
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const segment of this.drawn.slice(segments)) draw(context, segment);
  }

  private blank(): OffscreenCanvasRenderingContext2D {
    const { width, height } = this.canvas;
    return new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  }

  private down(event: PointerEvent): void {
    if (this.last || event.button !== 0 || !this.frame.classList.contains("brushing")) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.last = this.position(event);
    this.listener.begin();
    this.add(this.last, this.last);
    this.listener.move();
  }

  private move(event: PointerEvent): void {
    if (!this.last || event.pointerId !== this.pointer) return;
    const now = this.position(event);
    this.add(this.last, now);
    this.last = now;
    this.listener.move();
  }

  private up(event: PointerEvent): void {
    if (!this.last || event.pointerId !== this.pointer) return;
    this.last = null;
    this.listener.end();
  }

  private add(from: Point, to: Point): void {
    // The brush has the same size on the screen, also where the picture is looked at closely.
    const scale = this.canvas.width / this.frame.getBoundingClientRect().width;
    const segment: Segment = [from, to, this.ring.diameter * scale];
    draw(this.covered, segment);
    this.drawn.push(segment);
    draw(this.canvas.getContext("2d")!, segment);
  }

  private position(event: PointerEvent): Point {
    const box = this.frame.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.canvas.width,
      ((event.clientY - box.top) / box.height) * this.canvas.height,
    ];
  }
}

function draw(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, [from, to, width]: Segment): void {
  context.strokeStyle = "rgb(245, 179, 87)";
  context.lineCap = "round";
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(to[0] + 0.01, to[1]); // a line without length would leave no dot
  context.stroke();
}
