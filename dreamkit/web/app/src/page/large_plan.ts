/**
 * How a dream is finished with more pixels: its change is added to the large photograph, which keeps the composition,
 * and the octaves between the two sizes are dreamed on that with fewer steps, which add the fine detail.
 */

import { configAt, type DreamConfig } from "../engine/config";
import { UserError } from "../engine/errors";
import type { Size } from "../engine/octave_schemes";
import { resized } from "../engine/resize";
import type { Pixels } from "./protocol";

const SIDES = [1024, 2048, 4096]; // pixels, beside the photograph's own
const STEPS = 1 / 3; // of those of an octave: with all, other things grow in place of those that are there
const PIXEL_BYTES = 490; // that a pixel of a large dream takes at the peak, with what waits to be freed; measured
const ORIGINAL_BYTES = 11; // that a pixel of the file takes meanwhile
const SHARE = 1 / 3; // of the machine's memory, that a large dream may take
const USUAL_MEMORY = 4 * 2 ** 30; // bytes, where the browser tells nothing

/** The longest sides that a dream of `size` can be finished at; `original` is that of the file, if there is one. */
export function largeSides(size: Size, original: Size | null): number[] {
  const now = Math.max(size.height, size.width);
  const own = original ? [Math.max(original.height, original.width)] : [];
  return [...new Set([...SIDES, ...own])].filter((side) => side > now).sort((one, other) => one - other);
}

/** The size whose longest side is `side`. */
export function atSide({ height, width }: Size, side: number): Size {
  const longest = Math.max(height, width);
  const scaled = (length: number) => Math.max(1, Math.round((length * side) / longest));
  return { height: scaled(height), width: scaled(width) };
}

/** The memory in bytes that a large dream may take; `gigabytes` is what the browser tells of the machine's. */
export function allowance(gigabytes: number | undefined): number {
  return SHARE * (gigabytes === undefined ? USUAL_MEMORY : gigabytes * 2 ** 30);
}

/** Throws a `UserError` where a dream of `size` with the longest side `side` takes more than `most` bytes. */
export function checkMemory(size: Size, side: number, original: Size | null, most: number): void {
  const needed = (longest: number) => {
    const { height, width } = atSide(size, longest);
    return height * width * PIXEL_BYTES + (original ? original.height * original.width * ORIGINAL_BYTES : 0);
  };
  if (needed(side) <= most) return;
  const { height, width } = atSide(size, side);
  const perPixel = needed(1e4) - needed(0);
  const possible = Math.floor(1e4 * Math.sqrt(Math.max(0, most - needed(0)) / perPixel));
  const advice = possible > Math.max(size.height, size.width) ? `the largest side that fits is ${possible}` : "save it as it is";
  throw new UserError(
    `${width} x ${height} pixels need ${megabytes(needed(side))} of memory, and ${megabytes(most)} are allowed; ${advice}`,
  );
}

/** The options of the octaves between a dream of `small`, of which an octave had `steps`, and `large`. */
export function largeConfig(config: DreamConfig, octaves: number, steps: number, small: Size, large: Size): DreamConfig {
  const ratio = Math.max(large.height, large.width) / Math.max(small.height, small.width);
  const count = Math.max(1, Math.round(Math.log(ratio) / Math.log(config.octave_scale)));
  return {
    ...configAt(config, octaves - 1),
    octaves: count,
    octave_scale: ratio ** (1 / count),
    octave_scheme: "residual",
    first_octave: null,
    steps: Math.max(1, Math.ceil(steps * STEPS)),
    blend: 0,
    clouds: 0, // they are in the small dream
  };
}

/** The large photograph with the change from `photo` to `dream`, a small dream of it. */
export function withChange(large: Pixels, photo: Pixels, dream: Pixels): Pixels {
  const values = new Float32Array(dream.bytes);
  for (let i = 0; i < values.length; i++) values[i] -= photo.bytes[i];
  const change = resized({ height: photo.height, width: photo.width, values }, large.height, large.width).values;
  const bytes = new Uint8ClampedArray(change.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = large.bytes[i] + change[i];
  return { height: large.height, width: large.width, bytes };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
