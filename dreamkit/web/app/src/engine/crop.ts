/** The box around a mask, cut out of a picture and pasted back: that of dreamkit's `engine/growth.py`. */

import type { Photograph, Size } from "./octave_schemes";

const CONTEXT = 32; // pixels around a mask that the network sees while a dream grows
const GRID = 64; // pixels; boxes begin and end at multiples of it, so that few sizes occur

export interface Box extends Size {
  top: number;
  left: number;
}

/**
 * The box around the painted part of a mask, with some context, at least `least` pixels on each side where the picture
 * has them; null where nothing is painted.
 */
export function boxAround(mask: Uint8ClampedArray, { height, width }: Size, least: number): Box | null {
  let [top, bottom, left, right] = [height, -1, width, -1];
  mask.forEach((level, i) => {
    if (!level) return;
    const [y, x] = [Math.floor(i / width), i % width];
    [top, bottom, left, right] = [Math.min(top, y), y, Math.min(left, x), Math.max(right, x)];
  });
  if (bottom < 0) return null;
  const along = (first: number, last: number, length: number): [number, number] => {
    const from = Math.max(0, GRID * Math.floor((first - CONTEXT) / GRID));
    const to = Math.min(length, Math.max(from + least, GRID * Math.ceil((last + 1 + CONTEXT) / GRID)));
    const start = Math.max(0, Math.min(from, to - least));
    return [start, to - start];
  };
  const [boxTop, boxHeight] = along(top, bottom, height);
  const [boxLeft, boxWidth] = along(left, right, width);
  return { top: boxTop, left: boxLeft, height: boxHeight, width: boxWidth };
}

/** A box of a picture of `channels` channels. */
export function cut(photo: Photograph, box: Box, channels: number): Photograph {
  const bytes = new Uint8ClampedArray(box.height * box.width * channels);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * photo.width + box.left) * channels;
    bytes.set(photo.bytes.subarray(from, from + box.width * channels), y * box.width * channels);
  }
  return { height: box.height, width: box.width, bytes };
}

/** Writes a box back into a picture, in place. */
export function paste(photo: Photograph, bytes: Uint8ClampedArray, box: Box): void {
  for (let y = 0; y < box.height; y++) {
    const line = bytes.subarray(y * box.width * 3, (y + 1) * box.width * 3);
    photo.bytes.set(line, ((box.top + y) * photo.width + box.left) * 3);
  }
}
