/** The steps of the last dream, from which its growth is made a film. */

import type { HistoryEntry } from "./dream_history";
import { LONGEST, recordFilm } from "./film_recorder";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const MOST = 96; // frames; of more steps, every second, fourth, ... is a frame
const END = 15; // frames for which the dream stays at the end

/** Frames of a dream, small and evenly spread over its steps. */
class Frames {
  private frames: Promise<ImageBitmap>[] = [];
  private every = 1;
  private steps = 0;

  add(picture: Pixels): void {
    if (this.steps++ % this.every) return;
    const scale = Math.min(1, LONGEST / Math.max(picture.height, picture.width));
    const [resizeWidth, resizeHeight] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
    const frame = createImageBitmap(toImageData(picture), { resizeWidth, resizeHeight, resizeQuality: "high" });
    frame.catch(() => {}); // `all` tells of it
    this.frames.push(frame);
    if (this.frames.length < MOST) return;
    close(this.frames.filter((_, i) => i % 2));
    this.frames = this.frames.filter((_, i) => i % 2 === 0);
    this.every *= 2;
  }

  all(): Promise<ImageBitmap[]> {
    return Promise.all(this.frames);
  }

  close(): void {
    close(this.frames);
    this.frames = [];
  }
}

function close(frames: Promise<ImageBitmap>[]): void {
  for (const each of frames) void each.then((bitmap) => bitmap.close()).catch(() => {});
}

export class GrowthFilm {
  /** Of the dream that runs; it replaces the film once the dream is finished. */
  private growing = new Frames();
  private frames = new Frames();
  private finished: Pixels | null = null;

  /** A dream begins. */
  begin(photo: Pixels): void {
    this.growing.close();
    this.growing = new Frames();
    this.add(photo);
  }

  /** A step of the dream. */
  add(picture: Pixels): void {
    this.growing.add(picture);
  }

  /** The dream is finished. */
  end(picture: Pixels): void {
    this.frames.close();
    this.frames = this.growing;
    this.growing = new Frames();
    this.finished = picture;
  }

  /** Whether the steps are those of a dream of the history. */
  isOf(entry: HistoryEntry | null): boolean {
    return this.finished !== null && (entry?.picture === this.finished || entry?.unblended === this.finished);
  }

  /** Plays the film while the browser records it. */
  async record(last: Pixels, onFrame: (share: number) => void): Promise<Blob> {
    const frames = await this.frames.all();
    const ending = await createImageBitmap(toImageData(last));
    const shown = [...frames, ...Array.from({ length: END }, () => ending)];
    return recordFilm(shown.map((picture) => ({ picture, opacity: 1 })), last, onFrame);
  }
}
