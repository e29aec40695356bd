/** Divides a gradient by its size: dreamkit's `engine/updates/normalisation.py`. */

import { UserError } from "./errors";

/**
 * Divides `gradient`, in place, by its mean absolute value or its standard deviation, as `how` selects. Only
 * `coverage` of the picture was computed, 0 to 1; the rest is zero and does not count.
 */
export function normalise(gradient: Float32Array, how: string, coverage: number): void {
  const count = gradient.length * coverage || 1;
  let mean = 0;
  let size = 0;
  if (how === "std" || how === "score") {
    for (const value of gradient) mean += value;
    mean /= count;
    for (const value of gradient) size += (value - mean) ** 2;
    size -= (gradient.length - count) * mean ** 2;
    size = Math.sqrt(Math.max(size, 0) / count);
  } else {
    for (const value of gradient) size += Math.abs(value);
    size /= count;
  }
  if (!Number.isFinite(size)) {
    throw new UserError("the gradient is not a number, because the layers overflow; choose other layers");
  }
  if (how === "score") for (let i = 0; i < gradient.length; i++) gradient[i] -= mean;
  const divisor = Math.fround(size);
  if (how !== "none" && divisor) for (let i = 0; i < gradient.length; i++) gradient[i] /= divisor;
}
