/** A Laplacian pyramid with levels of equal strength: `laplacian` in dreamkit's `engine/updates/smoothing.py`. */

import type { Picture } from "./resize";
import { cropPadding, OPEN, padWrapped } from "./wrap";

const TAPS = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];
const MOST_AROUND = 256; // pixels of a picture's other side, on each side of a pyramid
const FAINTEST = 1e-10; // a level is divided by no less than this

/**
 * Scales all frequencies of `gradient` to the same strength, in place. Along an axis that wraps, the other side of the
 * picture lies beyond an edge, as far as the pyramid reaches.
 */
export function equalise(gradient: Picture, levels: number, wraps = OPEN): void {
  if (wraps.some(Boolean)) {
    const [rows, columns] = [gradient.height, gradient.width].map((length, axis) =>
      wraps[axis] ? Math.min(4 << levels, MOST_AROUND, length) : 0,
    );
    const larger = padWrapped(gradient, rows, columns);
    equalise(larger, levels);
    gradient.values.set(cropPadding(larger, rows, columns, gradient));
    return;
  }
  const pyramid = [gradient];
  for (let level = 0; level < levels; level++) {
    const fine = pyramid[level];
    const coarse = reduced(fine);
    addExpanded(fine, coarse, -1);
    pyramid.push(coarse);
  }
  for (const { values } of pyramid) {
    const size = Math.fround(Math.max(rootMeanSquare(values), FAINTEST));
    for (let i = 0; i < values.length; i++) values[i] /= size;
  }
  for (let level = levels; level > 0; level--) addExpanded(pyramid[level - 1], pyramid[level], 1);
}

/** A picture at half its size. */
function reduced({ height, width, values }: Picture): Picture {
  const [down, across] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const low = halved(values, 1, height, width * 3);
  return { height: down, width: across, values: halved(low, down, width, 3) };
}

/** Adds `factor` times `coarse`, at the size of `fine`, to `fine`. */
function addExpanded(fine: Picture, coarse: Picture, factor: number): void {
  const tall = doubled(coarse.values, 1, fine.height, coarse.width * 3);
  const large = doubled(tall, fine.height, fine.width, 3);
  for (let i = 0; i < large.length; i++) fine.values[i] += factor * large[i];
}

/** Zeros before an axis of `length`, as TensorFlow's "SAME" pads it: half of 3 or 4, rounded down. */
function before(length: number): number {
  return 1 + (length % 2);
}

/** The middle axis of `values`, `(outer, length, inner)`, at half its length. */
function halved(values: Float32Array, outer: number, length: number, inner: number): Float32Array {
  const half = Math.ceil(length / 2);
  const out = new Float32Array(outer * half * inner);
  for (let line = 0; line < outer; line++) {
    for (let place = 0; place < half; place++) {
      const to = (line * half + place) * inner;
      TAPS.forEach((tap, k) => {
        const source = 2 * place + k - before(length);
        if (source < 0 || source >= length) return;
        const from = (line * length + source) * inner;
        for (let i = 0; i < inner; i++) out[to + i] += tap * values[from + i];
      });
    }
  }
  return out;
}

/** Twice the adjoint of `halved`; the middle axis of the result has `length` places. */
function doubled(values: Float32Array, outer: number, length: number, inner: number): Float32Array {
  const half = Math.ceil(length / 2);
  const out = new Float32Array(outer * length * inner);
  for (let line = 0; line < outer; line++) {
    for (let place = 0; place < half; place++) {
      const from = (line * half + place) * inner;
      TAPS.forEach((tap, k) => {
        const target = 2 * place + k - before(length);
        if (target < 0 || target >= length) return;
        const to = (line * length + target) * inner;
        for (let i = 0; i < inner; i++) out[to + i] += 2 * tap * values[from + i];
      });
    }
  }
  return out;
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}
