/**
 * The filters that change a picture's size, as Pillow has them: separable, rows first, the weights of each
 * output pixel normalised to sum one. See dreamkit's `engine/resize.py` for the formula.
 */

export interface Picture {
  height: number;
  width: number;
  /** Rows first, three colours last, 0 to 255. */
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
const BITS = 22; // of Pillow's weights for bytes

/** `picture` at another size: bilinear, widened where it shrinks. */
export function resized(picture: Picture, height: number, width: number, channels = 3): Picture {
  let { values } = picture;
  if (width !== picture.width) {
    const taps = tapsOf(picture.width, width, TRIANGLE);
    values = Float32Array.from(summed(values, picture.height, picture.width, width, channels, 1, taps));
  }
  if (height !== picture.height) {
    const taps = tapsOf(picture.height, height, TRIANGLE);
    values = Float32Array.from(summed(values, 1, picture.height, height, 1, width * channels, taps));
  }
  return { height, width, values: values === picture.values ? values.slice() : values };
}

/** Bytes at another size by Lanczos' filter, which is how dreamkit shrinks what is larger than `max_size`. */
export function shrunk(
  bytes: Uint8ClampedArray,
  size: [number, number],
  to: [number, number],
  channels: number,
): Uint8ClampedArray {
  const fixed = (inside: number, outside: number) =>
    tapsOf(inside, outside, LANCZOS).map(({ start, weights }) => ({
      start,
      weights: weights.map((weight) => Math.trunc(weight * 2 ** BITS + (weight < 0 ? -0.5 : 0.5))),
    }));
  const rounded = (values: Float64Array | Float32Array) =>
    Float32Array.from(values, (value) => Math.min(255, Math.max(0, Math.floor(value / 2 ** BITS + 0.5))));
  let values: Float32Array = Float32Array.from(bytes);
  if (size[1] !== to[1]) {
    values = rounded(summed(values, size[0], size[1], to[1], channels, 1, fixed(size[1], to[1])));
  }
  if (size[0] !== to[0]) {
    values = rounded(summed(values, 1, size[0], to[0], 1, to[1] * channels, fixed(size[0], to[0])));
  }
  return Uint8ClampedArray.from(values);
}

interface Taps {
  start: number;
  weights: number[];
}

/** Which pixels of `inside` each of `outside` pixels is made of, and how much of each. */
function tapsOf(inside: number, outside: number, filter: Filter): Taps[] {
  const scale = inside / outside;
  const widened = Math.max(1, scale);
  const support = filter.support * widened;
  return Array.from({ length: outside }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inside, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: end - start }, (_, k) =>
      filter.weight((k + start - centre + 0.5) / widened),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

/** Sums along one axis, in float64: `values` is `(before, inside, channels * after)`. */
function summed(
  values: Float32Array,
  before: number,
  inside: number,
  outside: number,
  channels: number,
  after: number,
  taps: Taps[],
): Float64Array {
  const each = channels * after;
  const out = new Float64Array(before * outside * each);
  for (let outer = 0; outer < before; outer++) {
    for (let place = 0; place < outside; place++) {
      const { start, weights } = taps[place];
      const to = (outer * outside + place) * each;
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k];
        const from = (outer * inside + start + k) * each;
        for (let i = 0; i < each; i++) out[to + i] += weight * values[from + i];
      }
    }
  }
  return out;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
