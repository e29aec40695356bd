/** The sizes a dream passes through: dreamkit's `octaves`. */

import { roundHalfEven } from "./numbers";
import type { Options } from "./recipe";
import { Refused } from "./refused";

const SMALLEST = 100; // pixels on the shorter side below which a network sees little to dream of
const WHOLE = 5;

export interface Octave {
  number: number;
  height: number;
  width: number;
}

/** The octaves of a picture, smallest first; those below `minSize` on a side are left out. */
export function octavesOf(height: number, width: number, minSize: number, options: Options): Octave[] {
  const { octave_scale: scale, octave_scheme: scheme } = options;
  const shorter = Math.min(height, width);
  const room = Math.max(1, shorter / Math.max(SMALLEST, minSize));
  const suits = scheme === "whole" ? WHOLE : Math.max(1, 1 + Math.floor(Math.log(room) / Math.log(scale)));
  const count = options.octaves ?? suits;
  const first = options.first_octave ?? (scheme === "whole" ? -Math.floor(count / 2) : 1 - count);
  const all = Array.from({ length: count }, (_, number) => {
    const ratio = scale ** (first + number);
    const side = (length: number) => Math.max(1, roundHalfEven(length * ratio));
    return { number, height: side(height), width: side(width) };
  });
  const kept = all.filter((octave) => Math.min(octave.height, octave.width) >= minSize);
  if (!kept.length) {
    throw new Refused(
      `the picture is ${width} x ${height} pixels and the network needs at least ${minSize} on each side; ` +
        "take a larger picture or another network",
    );
  }
  return kept;
}
