/** Random numbers that depend on seed and place alone: dreamkit's `engine/rng.py`, word for word. */

import { roundHalfEven } from "./numbers";
import { blocks, type Place, words } from "./philox";
import { type Picture, resized } from "./resize";
import { OPEN } from "./wrap";

const ROLL = 0;
const CLOUDS = 1;
const WARP = 2;
const COLORS = 3;
const GRAIN = 4;
export const CENTRE = 128;
const COARSEST = 4; // pixels on the shorter side of the coarsest layer of clouds
const [PARTS_MEAN, PARTS_DEVIATION] = [2 * 65535, 65536 / Math.sqrt(3)]; // of the sum of four 16-bit numbers
const BLOCKS = 1 << 15; // that are drawn at once
const SPREAD: Record<string, number> = { clouds: 32, faint: 4 }; // standard deviations

/** How far a step rolls the picture, down and right, each from `-reach` to `reach`. */
export function roll(seed: bigint, octave: number, step: number, reach: [number, number]): [number, number] {
  const drawn = words(seed, { octave, step, purpose: ROLL }, 2);
  const along = (axis: 0 | 1) => Number(drawn[axis] % BigInt(2 * reach[axis] + 1)) - reach[axis];
  return [along(0), along(1)];
}

/** The angle of a step, from `-rotate` to `rotate`, and its scale, from `1 - zoom` to `1 + zoom`. */
export function warp(seed: bigint, octave: number, step: number, rotate: number, zoom: number): [number, number] {
  const [turn, scale] = words(seed, { octave, step, purpose: WARP }, 2).map(signedShare);
  return [rotate * turn, 1 + zoom * scale];
}

/** Six numbers from -1 to 1 for the colours in a step: three shifts, and three exponents. */
export function colors(seed: bigint, octave: number, step: number): number[] {
  return words(seed, { octave, step, purpose: COLORS }, 6).map(signedShare);
}

/** Independent numbers of mean 0 and standard deviation 1 in a step, `(height, width, 3)`; each is from one word. */
export function grain(seed: bigint, octave: number, step: number, height: number, width: number): Float32Array {
  const found = new Float32Array(height * width * 3);
  const place: Place = { octave, step, purpose: GRAIN };
  for (let start = 0; start < found.length; start += 4 * BLOCKS) {
    const count = Math.min(found.length - start, 4 * BLOCKS);
    const halves = blocks(seed, place, start / 4, Math.ceil(count / 4));
    for (let i = 0; i < count; i++) {
      const [low, high] = [halves[2 * i], halves[2 * i + 1]];
      const sum = (low & 0xffff) + (low >>> 16) + (high & 0xffff) + (high >>> 16);
      found[start + i] = (sum - PARTS_MEAN) / PARTS_DEVIATION;
    }
  }
  return found;
}

/** A word as a number from -1 to 1. */
function signedShare(word: bigint): number {
  return Number(word) / 2 ** 63 - 1;
}

/** The start of a dream without a photograph: coloured clouds, faint ones, or white noise. */
export function noise(seed: bigint, height: number, width: number, kind: string, wraps = OPEN): Uint8ClampedArray {
  return kind === "white" ? bytes(seed, 0, height, width) : clouds(seed, height, width, SPREAD[kind], wraps);
}

/** Coloured clouds with mean 128 and standard deviation `spread`, before they are clipped and rounded. */
export function clouds(
  seed: bigint,
  height: number,
  width: number,
  spread: number,
  wraps = OPEN,
): Uint8ClampedArray {
  const total = new Float32Array(height * width * 3);
  const side = Math.min(height, width);
  for (let k = 0; k === 0 || Math.ceil(side / 2 ** k) >= COARSEST; k++) {
    const [h, w] = [Math.ceil(height / 2 ** k), Math.ceil(width / 2 ** k)];
    const layer: Picture = { height: h, width: w, values: new Float32Array(bytes(seed, k, h, w)) };
    const large = resized(layer, height, width, 3, wraps).values;
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
  const drawn = blocks(seed, place, 0, Math.ceil(count / 32));
  return new Uint8ClampedArray(drawn.buffer, 0, count); // typed arrays are little-endian wherever browsers are
}
