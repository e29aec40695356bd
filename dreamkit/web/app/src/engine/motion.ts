/**
 * Motion between two frames: where each pixel was in the frame before, and whether it was visible there. A quick and
 * coarse relative of dreamkit's `media/optical_flow.py`: the method of Lucas and Kanade, from coarse to fine.
 */

import { globalShift, type Grey, halved, mean, sampleLinear } from "./grey";

const LEAST = 16; // pixels of the shorter side of the coarsest level
const ITERATIONS = 3; // of each level
const RADIUS = 3; // of the squares over which the motion is one, blurred twice
const NOISE = 2; // grey levels; what is flatter has no motion of its own
const LEAST_TRUST = 1e-3; // in the motion of a flat place
const MOST_STEP = 2; // pixels that an iteration moves by at most

/** Where each pixel of a frame was in the frame before. */
export interface Motion {
  height: number;
  width: number;
  /** Right and down, in pixels, `(height, width, 2)`. */
  offsets: Float32Array;
}

/** The motion from `now` back to `before`, two grey pictures of one size. */
export function motionBetween(before: Grey, now: Grey): Motion {
  const pyramids = [pyramidOf(before), pyramidOf(now)];
  const coarsest = pyramids[0].length - 1;
  const size = pyramids[0][coarsest];
  const shift = globalShift(pyramids[0][coarsest], pyramids[1][coarsest]);
  let motion = uniform(size.height, size.width, shift);
  for (let level = coarsest; level >= 0; level--) {
    const [then, current] = [pyramids[0][level], pyramids[1][level]];
    if (level < coarsest) motion = resizedMotion(motion, current.height, current.width);
    refine(motion, then, current);
  }
  return motion;
}

/** A motion at another size of the frames. */
export function resizedMotion(motion: Motion, height: number, width: number): Motion {
  const [down, right] = [motion.height / height, motion.width / width];
  const offsets = new Float32Array(height * width * 2);
  const planes = [0, 1].map((k) => {
    const values = new Float32Array(motion.height * motion.width);
    for (let i = 0; i < values.length; i++) values[i] = motion.offsets[2 * i + k] / (k ? down : right);
    return { ...motion, values };
  });
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      const [y, x] = [(row + 0.5) * down - 0.5, (column + 0.5) * right - 0.5];
      for (let k = 0; k < 2; k++) offsets[2 * i + k] = sampleLinear(planes[k], y, x);
    }
  }
  return { height, width, offsets };
}

/** The picture, then each half as large as the one before; all have the mean 0, because a camera adapts to the light. */
function pyramidOf({ height, width, values }: Grey): Grey[] {
  const light = values.reduce((sum, value) => sum + value, 0) / values.length;
  const levels: Grey[] = [{ height, width, values: values.map((value) => value - light) }];
  for (let last = levels[0]; Math.min(last.height, last.width) >= 2 * LEAST; levels.push(last)) last = halved(last);
  return levels;
}

function uniform(height: number, width: number, shift: [right: number, down: number]): Motion {
  return { height, width, offsets: Float32Array.from({ length: height * width * 2 }, (_, i) => shift[i % 2]) };
}

/**
 * Brings a motion, in place, nearer to what moves `before` to `now`. With `g` the gradient of `now` and `r` what the
 * moved `before` lacks, the motion of a window grows by `A d = b`, with `A` the mean of `g g'` and `b` that of `g r`.
 */
function refine({ offsets }: Motion, before: Grey, now: Grey): void {
  const { height, width } = now;
  const { gx, gy } = gradientOf(now);
  const product = (one: Float32Array, other: Float32Array) => smooth({ height, width, values: times(one, other) }).values;
  const [xx, xy, yy] = [product(gx, gx), product(gx, gy), product(gy, gy)];
  const trust = new Float32Array(xx.length);
  for (let i = 0; i < trust.length; i++) trust[i] = (xx[i] * yy[i] - xy[i] * xy[i]) / (xx[i] + yy[i] + NOISE) + LEAST_TRUST;
  const allTrust = smooth({ height, width, values: trust }).values;
  for (let turn = 0; turn < ITERATIONS; turn++) {
    const lacking = lackingOf(offsets, before, now);
    const [bx, by] = [product(gx, lacking), product(gy, lacking)];
    for (let i = 0; i < xx.length; i++) {
      const [a, b, c] = [xx[i] + NOISE, xy[i], yy[i] + NOISE];
      const determinant = a * c - b * b;
      const right = (c * bx[i] - b * by[i]) / determinant;
      const down = (a * by[i] - b * bx[i]) / determinant;
      const shorter = Math.min(1, MOST_STEP / (Math.sqrt(right * right + down * down) || 1));
      offsets[2 * i] += right * shorter;
      offsets[2 * i + 1] += down * shorter;
    }
    // Where the picture is flat, the motion of the surroundings counts.
    for (let k = 0; k < 2; k++) {
      const weighed = new Float32Array(xx.length);
      for (let i = 0; i < weighed.length; i++) weighed[i] = trust[i] * offsets[2 * i + k];
      const sums = smooth({ height, width, values: weighed }).values;
      for (let i = 0; i < sums.length; i++) offsets[2 * i + k] = sums[i] / allTrust[i];
    }
  }
}

/** What `before`, moved, lacks of `now`; nothing where it is not known. */
function lackingOf(offsets: Float32Array, before: Grey, { height, width, values }: Grey): Float32Array {
  const lacking = new Float32Array(values.length);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      const [x, y] = [column + offsets[2 * i], row + offsets[2 * i + 1]];
      if (x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1) lacking[i] = values[i] - sampleLinear(before, y, x);
    }
  }
  return lacking;
}

function times(one: Float32Array, other: Float32Array): Float32Array {
  const products = new Float32Array(one.length);
  for (let i = 0; i < products.length; i++) products[i] = one[i] * other[i];
  return products;
}

function smooth(plane: Grey): Grey {
  return mean(mean(plane, RADIUS), RADIUS);
}

/** Half the difference between both neighbours; at an edge, the pixel itself stands in for the missing one. */
function gradientOf({ height, width, values }: Grey): { gx: Float32Array; gy: Float32Array } {
  const [gx, gy] = [new Float32Array(values.length), new Float32Array(values.length)];
  for (let row = 0, i = 0; row < height; row++) {
    const [up, down] = [row ? width : 0, row < height - 1 ? width : 0];
    for (let column = 0; column < width; column++, i++) {
      gx[i] = (values[i + (column < width - 1 ? 1 : 0)] - values[i - (column ? 1 : 0)]) / 2;
      gy[i] = (values[i + down] - values[i - up]) / 2;
    }
  }
  return { gx, gy };
}
