/**
 * Filters that resize a picture as Pillow does: separable, rows first; the weights of each output pixel sum to
 * one. See dreamkit's `engine/resize.py` for the formula.
 */

import { wrapped } from "./numbers";
import { OPEN, type Wrapped } from "./wrap";

export interface Picture {
  height: number;
  width: number;
  /** `(height, width, channels)`; three channels are red, green and blue, 0 to 255. */
  values: Float32Array;
}

interface Filter {
  support: number;
  weight(x: number): number;
}

const TRIANGLE: Filter = { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };
const LANCZOS: Filter = {
  support: 3,
  weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0),
};
const BITS = 22; // precision of Pillow's weights for bytes

/**
 * `picture` at another size, with a bilinear filter that widens where the picture shrinks. Along an axis that wraps, the
 * pixels of the other side lie beyond an edge.
 */
export function resized(picture: Picture, height: number, width: number, channels = 3, wraps = OPEN): Picture {
  let { values } = picture;
  if (width !== picture.width) {
    const taps = tapsOf(picture.width, width, TRIANGLE, wraps[1]);
    values = new Float32Array(weightedSums(values, picture.height, picture.width, width, channels, 1, taps));
  }
  if (height !== picture.height) {
    const taps = tapsOf(picture.height, height, TRIANGLE, wraps[0]);
    values = new Float32Array(weightedSums(values, 1, picture.height, height, 1, width * channels, taps));
  }
  return { height, width, values: values === picture.values ? values.slice() : values };
}

/** Bytes at another size with Lanczos' filter, as dreamkit shrinks and enlarges pictures. */
export function shrunk(
  bytes: Uint8ClampedArray,
  size: [number, number],
  to: [number, number],
  channels: number,
  wraps = OPEN,
): Uint8ClampedArray {
  return resampled(bytes, size, to, channels, LANCZOS, wraps);
}

/** Bytes at another size with a bilinear filter, as dreamkit stretches masks. */
export function stretched(
  bytes: Uint8ClampedArray,
  size: [number, number],
  to: [number, number],
  channels: number,
): Uint8ClampedArray {
  return resampled(bytes, size, to, channels, TRIANGLE, OPEN);
}

function resampled(
  bytes: Uint8ClampedArray,
  size: [number, number],
  to: [number, number],
  channels: number,
  filter: Filter,
  wraps: Wrapped,
): Uint8ClampedArray {
  const fixedPoint = (axis: 0 | 1) =>
    tapsOf(size[axis], to[axis], filter, wraps[axis]).map(({ start, weights }) => ({
      start,
      weights: weights.map((weight) => Math.trunc(weight * 2 ** BITS + (weight < 0 ? -0.5 : 0.5))),
    }));
  let values = new Float32Array(bytes);
  if (size[1] !== to[1]) {
    values = rounded(weightedSums(values, size[0], size[1], to[1], channels, 1, fixedPoint(1)));
  }
  if (size[0] !== to[0]) {
    values = rounded(weightedSums(values, 1, size[0], to[0], 1, to[1] * channels, fixedPoint(0)));
  }
  return new Uint8ClampedArray(values);
}

/** Sums in fixed point as whole numbers from 0 to 255. A plain loop: `from` with a function takes ten times as long. */
function rounded(sums: Float64Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sums.length);
  for (let i = 0; i < sums.length; i++) values[i] = Math.min(255, Math.max(0, Math.floor(sums[i] / 2 ** BITS + 0.5)));
  return values;
}

interface Taps {
  start: number;
  weights: number[];
}

/**
 * For each of `output` pixels, the first of the `input` pixels that it sums, and their weights. Where the axis wraps,
 * places before the first pixel and after the last one are those of the other side.
 */
function tapsOf(input: number, output: number, filter: Filter, wraps: boolean): Taps[] {
  const scale = input / output;
  const widened = Math.max(1, scale);
  const support = filter.support * widened;
  return Array.from({ length: output }, (_, position) => {
    const centre = (position + 0.5) * scale;
    const [from, to] = [Math.floor(centre - support + 0.5), Math.floor(centre + support + 0.5)];
    const [start, end] = wraps ? [from, to] : [Math.max(0, from), Math.min(input, to)];
    const weights = Array.from({ length: end - start }, (_, k) =>
      filter.weight((k + start - centre + 0.5) / widened),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

/** Weighted sums along one axis, in float64; `values` is `(before, input, channels * after)`. */
function weightedSums(
  values: Float32Array,
  before: number,
  input: number,
  output: number,
  channels: number,
  after: number,
  taps: Taps[],
): Float64Array {
  const length = channels * after;
  if (length === 3) return sumsOfColours(values, before, input, output, taps);
  const out = new Float64Array(before * output * length);
  for (let outer = 0; outer < before; outer++) {
    for (let position = 0; position < output; position++) {
      const { start, weights } = taps[position];
      const to = (outer * output + position) * length;
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k];
        const place = start + k;
        const from = (outer * input + (place < 0 || place >= input ? wrapped(place, input) : place)) * length;
        for (let i = 0; i < length; i++) out[to + i] += weight * values[from + i];
      }
    }
  }
  return out;
}

/** `weightedSums` of three channels along the rows, with the sums in registers. */
function sumsOfColours(values: Float32Array, before: number, input: number, output: number, taps: Taps[]): Float64Array {
  const out = new Float64Array(before * output * 3);
  let to = 0;
  for (let outer = 0; outer < before; outer++) {
    for (let position = 0; position < output; position++) {
      const { start, weights } = taps[position];
      let [red, green, blue] = [0, 0, 0];
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k];
        const place = start + k;
        const from = (outer * input + (place < 0 || place >= input ? wrapped(place, input) : place)) * 3;
        red += weight * values[from];
        green += weight * values[from + 1];
        blue += weight * values[from + 2];
      }
      out[to++] = red;
      out[to++] = green;
      out[to++] = blue;
    }
  }
  return out;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
