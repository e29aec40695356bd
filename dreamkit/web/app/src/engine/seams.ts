/** The seams of a photograph whose edges meet, and how they are closed: dreamkit's `media/seams.py`. */

import { roundHalfEven } from "./numbers";
import type { DecodedPicture } from "./photograph_pixels";
import type { Wrapped } from "./wrap";

const VISIBLE = 2; // times the mean difference of neighbouring lines: above it, a seam is visible
const BLENDED = 1 / 6; // of a side, measured from each edge

/** `picture` with opposite edges that meet along the wrapped axes; those that meet already stay the same. */
export function closeSeams(picture: DecodedPicture, wraps: Wrapped): DecodedPicture {
  let found = picture;
  for (const axis of [0, 1] as const) {
    if (!wraps[axis]) continue;
    const [across, within] = measure(found, axis);
    if (across <= VISIBLE * within) continue;
    const { height, width, bytes, alpha } = found;
    found = {
      ...found,
      bytes: blended(bytes, height, width, 3, axis),
      alpha: alpha && blended(alpha, height, width, 1, axis),
    };
  }
  return found;
}

/** The mean absolute difference between the last line of an axis and the first, and that between neighbouring lines. */
function measure({ height, width, bytes }: DecodedPicture, axis: 0 | 1): [number, number] {
  const [lines, length] = axis ? [width, height] : [height, width];
  const [line, step] = axis ? [3, width * 3] : [width * 3, 3];
  const difference = (one: number, other: number): number => {
    let sum = 0;
    for (let i = 0; i < length; i++) {
      for (let k = 0; k < 3; k++) sum += Math.abs(bytes[one * line + i * step + k] - bytes[other * line + i * step + k]);
    }
    return sum;
  };
  let total = 0;
  for (let place = 1; place < lines; place++) total += difference(place, place - 1);
  const values = length * 3;
  return [difference(lines - 1, 0) / values, total / Math.max(1, (lines - 1) * values)];
}

/** Values blended with their mirror image near both edges of an axis. */
function blended(
  values: Uint8ClampedArray,
  height: number,
  width: number,
  channels: number,
  axis: 0 | 1,
): Uint8ClampedArray {
  const out = values.slice();
  const length = axis ? width : height;
  const reach = Math.max(1, roundHalfEven(BLENDED * length));
  const shareOf = (place: number) => {
    const distance = Math.min(place, length - 1 - place);
    return distance < reach ? (1 + Math.cos((Math.PI * distance) / reach)) / 4 : 0;
  };
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const share = shareOf(axis ? column : row);
      if (!share) continue;
      const [y, x] = axis ? [row, width - 1 - column] : [height - 1 - row, column];
      for (let k = 0; k < channels; k++) {
        const at = (row * width + column) * channels + k;
        out[at] = roundHalfEven(values[at] + share * (values[(y * width + x) * channels + k] - values[at]));
      }
    }
  }
  return out;
}
