/** The brush: strokes of the pointer over the picture, and the faint trace that shows them until something grows. */

import { canvas, element, input, isPressed } from "./elements";
import { BrushRing } from "./brush_ring";
import { Fingers } from "./fingers";
import type { MaskLevels } from "./protocol";

const TOLERANCE = 8; // pixels of the screen that a finger moves before it paints; until then it may be the first of two

export interface StrokeListener {
  /** A stroke begins; it has no pixels yet. */
  begin(): void;
  move(): void;
  /** It ends; where a second finger came, without its pixels. */
  end(): void;
}

type Point = [number, number];
type Segment = [from: Point, to: Point, width: number];

export class Brush {
  /** The trace. */
  private readonly canvas = canvas("stroke");
  private readonly frame = element("frame");
  private readonly view = element("view");
  private readonly fingers = new Fingers(this.view);
  private readonly ring = new BrushRing(this.frame, this.fingers);
  /** All that the stroke covers. */
  private covered = this.blank();
  private drawn: Segment[] = [];
  /** How many segments there were before the stroke that is under way. */
  private earlier = 0;
  /** Where the stroke is; null where none is under way. */
  private last: Point | null = null;
  /** Where the pointer went, as far as it is not drawn. */
  private path: Point[] = [];
  private pointer: number | null = null;

  constructor(private readonly listener: StrokeListener) {
    this.view.addEventListener("pointerdown", () => this.yieldToFingers(), { capture: true });
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
    this.earlier = 0;
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
    if (this.pointer !== null || this.fingers.isOneOfSeveral(event.pointerId)) return;
    if (event.button !== 0 || !this.frame.classList.contains("brushing")) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.path = [this.position(event)];
    if (event.pointerType !== "touch") this.begin();
  }

  private move(event: PointerEvent): void {
    if (event.pointerId !== this.pointer) return;
    this.path.push(this.position(event));
    if (this.last) this.paint();
    else if (this.hasMoved) this.begin();
  }

  private up(event: PointerEvent): void {
    if (event.pointerId !== this.pointer) return;
    if (!this.last && event.type === "pointerup") this.begin();
    this.end();
  }

  /** Takes the stroke of a finger back when a second one comes. */
  private yieldToFingers(): void {
    if (this.pointer === null || !this.fingers.isOneOfSeveral(this.pointer)) return;
    if (this.last) this.takeBack();
    this.end();
  }

  private begin(): void {
    this.last = this.path[0];
    this.listener.begin();
    this.earlier = this.drawn.length;
    this.paint();
  }

  private end(): void {
    const isUnderWay = this.last !== null;
    this.pointer = this.last = null;
    if (isUnderWay) this.listener.end();
  }

  private paint(): void {
    for (const point of this.path.splice(0)) {
      this.add(this.last!, point);
      this.last = point;
    }
    this.listener.move();
  }

  private takeBack(): void {
    this.drawn = this.drawn.slice(0, this.earlier);
    this.covered = this.blank();
    for (const segment of this.drawn) draw(this.covered, segment);
    this.endTrace(this.earlier);
  }

  /** Whether the pointer has left the place where it went down. */
  private get hasMoved(): boolean {
    const [from, to] = [this.path[0], this.path.at(-1)!];
    return Math.hypot(to[0] - from[0], to[1] - from[1]) > TOLERANCE * this.scale;
  }

  private add(from: Point, to: Point): void {
    // The brush has the same size on the screen, also where the picture is looked at closely.
    const segment: Segment = [from, to, this.ring.diameter * this.scale];
    draw(this.covered, segment);
    this.drawn.push(segment);
    draw(this.canvas.getContext("2d")!, segment);
  }

  /** Pixels of the picture for each of the screen. */
  private get scale(): number {
    return this.canvas.width / this.frame.getBoundingClientRect().width;
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
