/** The steps of the last dream, from which its growth is made a film. */

import type { HistoryEntry } from "./dream_history";
import { LONGEST, recordFilm } from "./film_recorder";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const MOST = 96; // frames; of more steps, every second, fourth, ... is a frame
const END = 15; // frames for which the dream stays at the end

export class GrowthFilm {
  private frames: Promise<ImageBitmap>[] = [];
  private every = 1;
  private steps = 0;
  private finished: Pixels | null = null;

  /** A dream begins. */
  begin(photo: Pixels): void {
    this.clear();
    this.add(photo);
  }

  /** A step of the dream. */
  add(picture: Pixels): void {
    if (this.steps++ % this.every) return;
    const scale = Math.min(1, LONGEST / Math.max(picture.height, picture.width));
    const [resizeWidth, resizeHeight] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
    const frame = createImageBitmap(toImageData(picture), { resizeWidth, resizeHeight, resizeQuality: "high" });
    frame.catch(() => {}); // `record` tells of it
    this.frames.push(frame);
    if (this.frames.length < MOST) return;
    for (const each of this.frames.filter((_, i) => i % 2)) void each.then((bitmap) => bitmap.close());
    this.frames = this.frames.filter((_, i) => i % 2 === 0);
    this.every *= 2;
  }

  /** The dream is finished. */
  end(picture: Pixels): void {
    this.finished = picture;
  }

  /** Whether the steps are those of a dream of the history. */
  isOf(entry: HistoryEntry | null): boolean {
    return this.finished !== null && (entry?.picture === this.finished || entry?.unblended === this.finished);
  }

  clear(): void {
    for (const each of this.frames) void each.then((bitmap) => bitmap.close()).catch(() => {});
    this.frames = [];
    this.every = 1;
    this.steps = 0;
    this.finished = null;
  }

  /** Plays the film while the browser records it. */
  async record(last: Pixels, onFrame: (share: number) => void): Promise<Blob> {
    const frames = await Promise.all(this.frames);
    const ending = await createImageBitmap(toImageData(last));
    const shown = [...frames, ...Array.from({ length: END }, () => ending)];
    return recordFilm(shown.map((picture) => ({ picture, opacity: 1 })), last, onFrame);
  }
}
