/** Random numbers that depend on seed and place alone: dreamkit's `engine/rng.py`, word for word. */

import { type Place, words } from "./philox";
import { type Picture, resized } from "./resize";
import { roundHalfEven } from "./numbers";

const ROLL = 0;
const CLOUDS = 1;
export const CENTRE = 128;
const COARSEST = 4; // pixels on the shorter side of the coarsest layer of clouds
const SPREAD: Record<string, number> = { clouds: 32, faint: 4 }; // standard deviations

/** How far a step rolls the picture, down and right, each from `-reach` to `reach`. */
export function roll(seed: bigint, octave: number, step: number, reach: [number, number]): [number, number] {
  const drawn = words(seed, { octave, step, purpose: ROLL }, 2);
  const along = (axis: 0 | 1) => Number(drawn[axis] % BigInt(2 * reach[axis] + 1)) - reach[axis];
  return [along(0), along(1)];
}

/** The start of a dream without a photograph: coloured clouds, faint ones, or white noise. */
export function noise(seed: bigint, height: number, width: number, kind: string): Uint8ClampedArray {
  return kind === "white" ? bytes(seed, 0, height, width) : clouds(seed, height, width, SPREAD[kind]);
}

/** Coloured clouds with mean 128 and standard deviation `spread`, before they are clipped and rounded. */
export function clouds(seed: bigint, height: number, width: number, spread: number): Uint8ClampedArray {
  const total = new Float32Array(height * width * 3);
  const side = Math.min(height, width);
  for (let k = 0; k === 0 || Math.ceil(side / 2 ** k) >= COARSEST; k++) {
    const [h, w] = [Math.ceil(height / 2 ** k), Math.ceil(width / 2 ** k)];
    const layer: Picture = { height: h, width: w, values: Float32Array.from(bytes(seed, k, h, w)) };
    const large = resized(layer, height, width).values;
    const weight = Math.fround(2 ** (k / 2));
    for (let i = 0; i < total.length; i++) total[i] += Math.fround(weight * Math.fround(large[i] - 127.5));
  }
  let mean = 0;
  for (const value of total) mean += value;
  mean /= total.length;
  let variance = 0;
  for (const value of total) variance += (value - mean) ** 2;
  const deviation = Math.sqrt(variance / total.length) || 1;
  return Uint8ClampedArray.from(total, (value) =>
    roundHalfEven(Math.min(255, Math.max(0, (value - mean) * (spread / deviation) + CENTRE))),
  );
}

function bytes(seed: bigint, layer: number, height: number, width: number): Uint8ClampedArray {
  const count = height * width * 3;
  const place: Place = { octave: layer, step: 0, purpose: CLOUDS };
  const drawn = BigUint64Array.from(words(seed, place, Math.ceil(count / 8)));
  return new Uint8ClampedArray(drawn.buffer, 0, count); // typed arrays are little-endian wherever browsers are
}
