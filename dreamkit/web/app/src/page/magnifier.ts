/** Looking closely at the picture: with two fingers, the wheel, a double click, or buttons. */

import { button, element } from "./elements";

const MOST = 16; // times as large
const STEP = 1.5; // factor of a button
const TWICE = 3; // factor of a double click
const WHEEL = 0.002; // of the logarithm, for each pixel of the wheel

type Point = { x: number; y: number };

export class Magnifier {
  private readonly view = element("view");
  private readonly frame = element("frame");
  private scale = 1;
  private offset: Point = { x: 0, y: 0 };
  private readonly pointers = new Map<number, Point>();
  /** Whether the pointers move the picture; with the brush, two fingers do, and then the one that stays. */
  private isMoving = false;

  constructor() {
    const { view } = this;
    view.addEventListener("pointerdown", (event) => this.down(event));
    view.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      view.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    view.addEventListener("wheel", (event) => this.turnWheel(event), { passive: false });
    view.addEventListener("dblclick", (event) => {
      if (this.isFree(event) && !this.isBrushing) this.to(this.scale > 1 ? 1 : TWICE, this.at(event));
    });
    button("closer").addEventListener("click", () => this.to(this.scale * STEP));
    button("further").addEventListener("click", () => this.to(this.scale / STEP));
    window.addEventListener("resize", () => this.apply());
    document.addEventListener("fullscreenchange", () => this.reset());
    button("fullscreen").hidden = !document.fullscreenEnabled;
    for (const id of ["fullscreen", "leave-fullscreen"]) {
      button(id).addEventListener("click", () => void this.toggleFullscreen());
    }
  }

  /** Shows the whole picture. */
  reset(): void {
    this.pointers.clear();
    this.to(1);
  }

  private async toggleFullscreen(): Promise<void> {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.view.requestFullscreen().catch(() => {}); // the browser forbids it
  }

  /** Whether a pointer is on the picture, and not on something that lies on it. */
  private isFree({ target }: Event): boolean {
    const isOnControl = (target as HTMLElement).closest("#divider, #welcome, #viewfinder, #leave-fullscreen");
    return !isOnControl && !this.frame.classList.contains("empty");
  }

  private get isBrushing(): boolean {
    return this.frame.classList.contains("brushing");
  }

  private down(event: PointerEvent): void {
    const { isBrushing } = this;
    if (!this.isFree(event) || this.pointers.size > 1 || (isBrushing && event.pointerType !== "touch")) return;
    this.pointers.set(event.pointerId, this.at(event));
    this.isMoving = !isBrushing || this.pointers.size > 1;
    if (isBrushing) return; // which has the pointer
    this.view.setPointerCapture(event.pointerId); // so that its end comes here, wherever it is
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) {
      const distance = (to: Point) => Math.hypot(to.x - other.x, to.y - other.y) || 1;
      this.shift((now.x - before.x) / 2, (now.y - before.y) / 2); // as far as the middle of both
      this.to((this.scale * distance(now)) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    } else if (this.scale > 1 && this.isMoving) {
      this.shift(now.x - before.x, now.y - before.y);
      this.apply();
    }
  }

  private shift(x: number, y: number): void {
    this.offset = { x: this.offset.x + x, y: this.offset.y + y };
  }

  private turnWheel(event: WheelEvent): void {
    if (this.frame.classList.contains("empty")) return;
    // A trackpad's pinch is a wheel with Ctrl. Otherwise the wheel scrolls the page.
    if (!event.ctrlKey && this.scale === 1 && !document.fullscreenElement) return;
    event.preventDefault();
    this.to(this.scale * Math.exp(-event.deltaY * WHEEL), this.at(event));
  }

  /** Enlarges the picture around a point of the view, by default its middle. */
  private to(scale: number, { x, y }: Point = this.middle): void {
    const next = Math.min(MOST, Math.max(1, scale));
    const factor = next / this.scale;
    this.offset = { x: x - factor * (x - this.offset.x), y: y - factor * (y - this.offset.y) };
    this.scale = next;
    this.apply();
  }

  /** The picture always covers its place. */
  private apply(): void {
    const { clientWidth, clientHeight } = this.frame;
    const within = (offset: number, length: number) => Math.min(0, Math.max(length * (1 - this.scale), offset));
    this.offset = { x: within(this.offset.x, clientWidth), y: within(this.offset.y, clientHeight) };
    const { x, y } = this.offset;
    this.frame.style.setProperty("transform", this.scale > 1 ? `translate(${x}px, ${y}px) scale(${this.scale})` : "none");
    this.frame.style.setProperty("--closer", String(this.scale));
    this.view.classList.toggle("close", this.scale > 1);
    button("further").disabled = this.scale === 1;
    button("closer").disabled = this.scale === MOST;
  }

  /** Where an event is, from the corner of the frame as it lies without enlargement. */
  private at({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.frame.getBoundingClientRect();
    return { x: clientX - left + this.offset.x, y: clientY - top + this.offset.y };
  }

  private get middle(): Point {
    return { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 };
  }
}
