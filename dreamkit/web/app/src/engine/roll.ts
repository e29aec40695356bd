/** Pictures that are rolled: what leaves at one edge comes back at the other. */

import { wrapped } from "./numbers";
import type { Picture } from "./resize";

/** The values of a picture rolled by `down` and `right` pixels. */
export function rolled({ height, width, values }: Picture, [down, right]: [number, number]): Float32Array {
  const out = new Float32Array(values.length);
  const start = wrapped(right, width) * 3;
  for (let row = 0; row < height; row++) {
    const from = row * width * 3;
    const to = wrapped(row + down, height) * width * 3;
    out.set(values.subarray(from, from + width * 3 - start), to + start);
    out.set(values.subarray(from + width * 3 - start, from + width * 3), to);
  }
  return out;
}
