/** Records films as they play. */

import { UserError } from "../engine/errors";
import type { Size } from "../engine/octave_schemes";

export const LONGEST = 640; // pixels
const RATE = 12; // frames a second
const LATE = 500; // milliseconds for which a frame waits for the browser's encoder
const PATIENCE = 40; // frames in which the encoder must begin
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** A picture of a film, the whole canvas large; `opacity` is its share over what was drawn before. */
export interface Frame {
  picture: ImageBitmap;
  opacity: number;
}

/** The size of a film of pictures of `size`; video codecs want even sides. */
export function filmSize({ height, width }: Size): Size {
  const scale = Math.min(1, LONGEST / Math.max(height, width));
  const even = (side: number) => 2 * Math.max(1, Math.round((side * scale) / 2));
  return { height: even(height), width: even(width) };
}

/** Plays a film of pictures of `size` while the browser records it. Throws a `UserError` where it records none. */
export async function recordFilm(frames: Frame[], size: Size, onFrame: (share: number) => void): Promise<Blob> {
  const type = globalThis.MediaRecorder && TYPES.find((each) => MediaRecorder.isTypeSupported(each));
  if (!type) throw new UserError("this browser records no films; save the picture instead");
  const canvas = Object.assign(document.createElement("canvas"), filmSize(size));
  const context = canvas.getContext("2d")!;
  const draw = ({ picture, opacity }: Frame) => {
    context.globalAlpha = opacity;
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  };
  draw(frames[0]); // the stream begins with what the canvas shows
  const stream = canvas.captureStream(RATE);
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 8_000_000 });
  const parts: Blob[] = [];
  let onData = () => {};
  recorder.ondataavailable = ({ data }) => {
    if (!data.size) return;
    parts.push(data);
    onData();
  };
  const stopped = new Promise((resolve, reject) => {
    recorder.onstop = resolve;
    recorder.onerror = reject;
  });
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  // A busy machine's encoder is late, and would leave out what is shown meanwhile.
  const show = async (frame: Frame) => {
    const encoded = new Promise<void>((resolve) => (onData = resolve));
    draw(frame);
    await Promise.all([pause(1000 / RATE), Promise.race([encoded, pause(LATE)])]);
  };
  recorder.start(1000 / RATE / 2);
  for (let wait = 0; !parts.length && wait < PATIENCE; wait++) await show(frames[0]);
  for (const [index, frame] of frames.entries()) {
    await show(frame);
    onFrame((index + 1) / frames.length);
  }
  recorder.stop();
  await stopped;
  for (const track of stream.getTracks()) track.stop();
  if (!parts.length) throw new UserError("the browser recorded nothing; try again when the machine is less busy");
  return new Blob(parts, { type: type.split(";")[0] });
}
