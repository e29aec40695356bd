/**
 * Regularisers, which hold a dream back while it grows: dreamkit's `engine/regularisers`. Pixels are measured in
 * units, one for each colour.
 */

import type { DreamConfig } from "./config";
import type { Picture } from "./resize";
import { type Wrapped, wrappedAxes } from "./wrap";

const FLAT = 1 / 127.5; // differences, in units, well below which a picture is flat
const NEGATIVE_TV = 0.3; // total variation where all weights are negative

/** Subtracts its gradient from `update`, in place. `photo` is at the octave's size; null where `l2` is zero. */
export type Regulariser = (update: Float32Array, pixels: Picture, photo: Picture | null) => void;

/** The regularisers of a dream, in order. Where all weights are negative, nothing but grain would come of it. */
export function regularisation(config: DreamConfig, allNegative: boolean): Regulariser[] {
  const { l2, unit } = config;
  const tv = config.tv ?? (allNegative ? NEGATIVE_TV : 0);
  const wraps = wrappedAxes(config.wrap);
  const regularisers: Regulariser[] = [];
  if (tv) regularisers.push((update, pixels) => subtractTotalVariation(update, pixels, tv, unit, wraps));
  if (l2) regularisers.push((update, pixels, photo) => subtractDistance(update, pixels, photo!, l2, unit));
  return regularisers;
}

/** Subtracts `weight` times the gradient of the total variation of `pixels` from `update`, in place. */
function subtractTotalVariation(
  update: Float32Array,
  { height, width, values }: Picture,
  weight: number,
  unit: number[],
  wraps: Wrapped,
): void {
  const units = values.map((value, i) => value / Math.fround(unit[i % 3]));
  const right = new Float32Array(values.length);
  const down = new Float32Array(values.length);
  for (let row = 0; row < height; row++) {
    const below = row + 1 < height ? row + 1 : wraps[0] ? 0 : row;
    for (let column = 0; column < width; column++) {
      const beside = column + 1 < width ? column + 1 : wraps[1] ? 0 : column;
      for (let k = 0; k < 3; k++) {
        const at = (row * width + column) * 3 + k;
        const dx = units[(row * width + beside) * 3 + k] - units[at];
        const dy = units[(below * width + column) * 3 + k] - units[at];
        const length = Math.sqrt(dx * dx + dy * dy + FLAT * FLAT);
        right[at] = dx / length;
        down[at] = dy / length;
      }
    }
  }
  for (let row = 0; row < height; row++) {
    const above = row ? row - 1 : height - 1; // whose differences are zero, unless the picture wraps
    for (let column = 0; column < width; column++) {
      const before = column ? column - 1 : width - 1;
      for (let k = 0; k < 3; k++) {
        const at = (row * width + column) * 3 + k;
        const slope = right[(row * width + before) * 3 + k] + down[(above * width + column) * 3 + k] - right[at] - down[at];
        update[at] -= weight * slope;
      }
    }
  }
}

/** Subtracts `weight` times the distance of `pixels` from `photo`, in units, from `update`, in place. */
function subtractDistance(
  update: Float32Array,
  { values }: Picture,
  photo: Picture,
  weight: number,
  unit: number[],
): void {
  const factors = unit.map((size) => Math.fround(weight / size));
  for (let i = 0; i < values.length; i++) update[i] -= Math.fround(values[i] - photo.values[i]) * factors[i % 3];
}
