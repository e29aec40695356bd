/** The steps of the last dream, from which its growth is made a film. */

import { UserError } from "../engine/errors";
import type { HistoryEntry } from "./dream_history";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const LONGEST = 640; // pixels
const MOST = 96; // frames; of more steps, every second, fourth, ... is a frame
const RATE = 12; // frames a second
const END = 15; // frames for which the dream stays at the end
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

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

  /** Plays the film while the browser records it. Throws a `UserError` where the browser records none. */
  async record(last: Pixels, onFrame: (share: number) => void): Promise<Blob> {
    const type = globalThis.MediaRecorder && TYPES.find((each) => MediaRecorder.isTypeSupported(each));
    if (!type) throw new UserError("this browser records no films; save the picture instead");
    const frames = await Promise.all(this.frames);
    const scale = Math.min(1, LONGEST / Math.max(last.height, last.width));
    const canvas = document.createElement("canvas");
    // Video codecs want even sides.
    canvas.width = 2 * Math.max(1, Math.round((last.width * scale) / 2));
    canvas.height = 2 * Math.max(1, Math.round((last.height * scale) / 2));
    const context = canvas.getContext("2d")!;
    const ending = await createImageBitmap(toImageData(last));
    const shown = [...frames, ...Array.from({ length: END }, () => ending)];
    const draw = (frame: ImageBitmap) => context.drawImage(frame, 0, 0, canvas.width, canvas.height);
    draw(shown[0]); // the stream begins with what the canvas shows
    const stream = canvas.captureStream(RATE);
    const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 8_000_000 });
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((resolve, reject) => {
      recorder.onstop = resolve;
      recorder.onerror = reject;
    });
    recorder.start();
    for (const [index, frame] of shown.entries()) {
      draw(frame);
      onFrame((index + 1) / shown.length);
      await new Promise((resolve) => setTimeout(resolve, 1000 / RATE));
    }
    recorder.stop();
    await stopped;
    for (const track of stream.getTracks()) track.stop();
    return new Blob(parts, { type: type.split(";")[0] });
  }
}
