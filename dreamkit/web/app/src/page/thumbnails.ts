/**
 * Thumbnails of what layers, channels, concepts and recipes bring out, drawn one after the other while the worker is idle,
 * those in sight first.
 */

import { toImageData } from "./photograph";
import { averaged } from "./preview_pixels";
import type { FinishedDream, Pixels, ThumbnailTask } from "./protocol";
import type { RunningTask, WorkerClient } from "./worker_client";

const START = 16; // pixels of what is shown until a tile is drawn; the page blurs it

export interface Tile {
  button: HTMLButtonElement;
  task: () => ThumbnailTask;
}

/** A tile without a picture yet; `title` says more than its name, `onClick` chooses it. */
export function createTile(name: string, title: string, onClick: (event: MouseEvent) => void): HTMLButtonElement {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.title = title;
  const picture = document.createElement("span");
  picture.className = "picture";
  picture.ariaHidden = "true";
  picture.append(document.createElement("canvas"));
  tile.append(picture, name);
  tile.addEventListener("click", (event) => {
    onClick(event);
    tile.dispatchEvent(new Event("change", { bubbles: true })); // as a field of the panel would
  });
  return tile;
}

/** What tiles show, blurred, until they are dreamed on these pixels. */
export function startOf({ width, height, bytes }: Pixels): ImageData {
  return toImageData({ height: START, width: START, bytes: averaged(bytes, [height, width], [START, START], 3) });
}

export function showStart({ button }: Tile, start: ImageData): void {
  const canvas = cleared(button);
  canvas.width = canvas.height = START;
  canvas.getContext("2d")!.putImageData(start, 0, 0);
}

export class Thumbnails {
  private waiting: Tile[] = [];
  private drawing: RunningTask<FinishedDream | null> | null = null;
  private isPaused = true;
  private worker: WorkerClient | null = null;

  /** Begins anew with another worker. */
  restart(worker: WorkerClient): void {
    this.worker = worker;
    this.waiting = [];
    this.drawing = null;
  }

  /** Draws a tile after the others, or before them, in place of what its button waits for. */
  add(tile: Tile, isFirst = false): void {
    this.waiting = this.waiting.filter(({ button }) => button !== tile.button);
    if (isFirst) this.waiting.unshift(tile);
    else this.waiting.push(tile);
    void this.draw();
  }

  set isIdle(isIdle: boolean) {
    this.isPaused = !isIdle;
    if (isIdle) void this.draw();
    else this.drawing?.stop();
  }

  private async draw(): Promise<void> {
    if (this.drawing || this.isPaused || !this.worker) return;
    this.waiting = this.waiting.filter(({ button }) => button.isConnected);
    if (!this.waiting.length) return;
    const [tile] = this.waiting.splice(Math.max(0, this.waiting.findIndex(isInSight)), 1);
    const { worker } = this;
    this.drawing = worker.run(tile.task());
    try {
      const dream = await this.drawing.result;
      const isOld = this.isWaiting(tile); // for a newer picture
      if (dream && !isOld) show(tile, dream);
      else if (worker === this.worker && !isOld) this.waiting.unshift(tile);
    } catch (error) {
      if (worker === this.worker) showFailure(tile, error as Error);
    } finally {
      if (worker === this.worker) this.drawing = null;
    }
    if (worker === this.worker) void this.draw();
  }

  /** Whether the button of a tile waits for another picture. */
  private isWaiting({ button }: Tile): boolean {
    return this.waiting.some((each) => each.button === button);
  }
}

/** Whether a tile is in the window. */
function isInSight({ button }: Tile): boolean {
  const { top, bottom, width } = button.getBoundingClientRect();
  return width > 0 && bottom > 0 && top < innerHeight;
}

/** The canvas of a tile, without what says that it could not be drawn. */
function cleared(tile: HTMLButtonElement): HTMLCanvasElement {
  const canvas = tile.querySelector("canvas")!;
  canvas.parentElement!.replaceChildren(canvas);
  delete tile.dataset.thumbnail;
  return canvas;
}

function show({ button }: Tile, { picture }: FinishedDream): void {
  const canvas = cleared(button);
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
  button.dataset.thumbnail = "drawn";
}

function showFailure({ button }: Tile, { message }: Error): void {
  button.dataset.thumbnail = "failed";
  const note = document.createElement("span");
  note.textContent = "no picture";
  note.title = message;
  button.querySelector(".picture")!.append(note);
}
