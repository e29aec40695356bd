/** The pixels themselves, moved by gradient ascent: dreamkit's `engine/parametrisations/pixels.py`. */

import * as color from "./color";
import type { DreamConfig } from "./config";
import { wrapped } from "./numbers";
import type { Picture } from "./resize";

/**
 * Adds an update to `pixels`, in place. The update lies in the frame of the picture rolled down and right by
 * `roll`; `region` holds the strengths of a mask, `(height, width)`.
 */
export function stepPixels(
  { height, width, values }: Picture,
  update: Float32Array,
  [down, right]: [number, number],
  region: Float32Array | null,
  config: DreamConfig,
): void {
  const stepSize = config.strength * config.step_size;
  const sizes = config.unit.map((unit) => Math.fround(Math.fround(stepSize) * Math.fround(unit)));
  const keepsColors = config.color === color.KEEP;
  const unit = config.unit.reduce((sum, each) => sum + each / 3, 0);
  const shift = wrapped(right, width);
  const { clip: clips } = config;
  for (let row = 0; row < height; row++) {
    const line = wrapped(row + down, height) * width;
    for (let column = 0; column < width; column++) {
      const to = row * width + column;
      const from = line + (column < width - shift ? column + shift : column + shift - width);
      const strength = region ? region[to] : 1;
      if (!strength) continue;
      if (keepsColors) {
        const mean = (update[from * 3] + update[from * 3 + 1] + update[from * 3 + 2]) / 3;
        color.shiftWithin(values, to * 3, mean * strength * stepSize * unit);
        continue;
      }
      for (let k = 0; k < 3; k++) {
        const moved = values[to * 3 + k] + Math.fround(update[from * 3 + k] * strength) * sizes[k];
        values[to * 3 + k] = clips ? Math.min(255, Math.max(0, moved)) : moved;
      }
    }
  }
}
