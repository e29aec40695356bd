/** The sizes that a dream passes through: dreamkit's `engine/octaves.py`. */

import type { DreamConfig } from "./config";
import { UserError } from "./errors";
import { roundHalfEven } from "./numbers";

const SMALLEST = 100; // pixels on the shorter side below which a network sees little to dream of
const WHOLE = 5; // octaves of the TensorFlow tutorial

export interface Octave {
  /** Counts from the smallest octave of the config, including those that are left out. */
  number: number;
  height: number;
  width: number;
}

/** The octaves of a picture, smallest first; those with a side below `minSize` are left out. */
export function octavesOf(height: number, width: number, minSize: number, config: DreamConfig): Octave[] {
  const { octave_scale: scale, octave_scheme: scheme } = config;
  const shorter = Math.min(height, width);
  const room = Math.max(1, shorter / Math.max(SMALLEST, minSize));
  const suitable = scheme === "whole" ? WHOLE : Math.max(1, 1 + Math.floor(Math.log(room) / Math.log(scale)));
  const count = config.octaves ?? suitable;
  const first = config.first_octave ?? (scheme === "whole" ? -Math.floor(count / 2) : 1 - count);
  const all = Array.from({ length: count }, (_, number) => {
    return { number, ...scaled(height, width, scale ** (first + number)) };
  });
  const kept = all.filter((octave) => Math.min(octave.height, octave.width) >= minSize);
  if (!kept.length) {
    throw new UserError(
      `the picture is ${width} x ${height} pixels and the network needs at least ${minSize} on each side; ` +
        "choose a larger picture or another network",
    );
  }
  return kept;
}

/** A size times `ratio`, rounded to whole pixels, at least 1. */
export function scaled(height: number, width: number, ratio: number): { height: number; width: number } {
  const side = (length: number) => Math.max(1, roundHalfEven(length * ratio));
  return { height: side(height), width: side(width) };
}
