/** How a dream passes from one octave to the next: dreamkit's `engine/octave_schemes.py`. */

import type { DreamConfig } from "./config";
import * as masks from "./masks";
import { roundHalfEven } from "./numbers";
import { scaled } from "./octaves";
import { type Picture, resized } from "./resize";
import { CENTRE, clouds } from "./rng";

const CLOUD_CELLS = 24; // of the clouds of another seed, along the longer side

export interface Size {
  height: number;
  width: number;
}

/** A photograph as bytes. */
export interface Photograph extends Size {
  /** `(height, width, 3)`. */
  bytes: Uint8ClampedArray;
}

type Grow = (photo: Picture, pixels: Picture, size: Size) => Picture;

/**
 * The photograph at the size of the smallest octave, with the clouds of a seed other than 0, which decide what grows
 * where. They change lightness alone.
 */
export function compose(photo: Picture, { height, width }: Size, config: DreamConfig): Picture {
  const pixels = resized(photo, height, width);
  const seed = BigInt(config.seed);
  if (!seed || !config.clouds) return pixels;
  const grid = scaled(height, width, CLOUD_CELLS / Math.max(height, width));
  const drawn = clouds(seed, grid.height, grid.width, config.clouds);
  const lightness = { ...grid, values: Float32Array.from({ length: drawn.length / 3 }, (_, i) => drawn[3 * i] - CENTRE) };
  const shift = resized(lightness, height, width, 1).values;
  for (let i = 0; i < pixels.values.length; i++) {
    const moved = Math.fround(pixels.values[i] + shift[Math.floor(i / 3)]);
    pixels.values[i] = Math.min(255, Math.max(0, moved));
  }
  return pixels;
}

/** The function that brings a dream to the size of its next octave. */
export function growFunction(config: DreamConfig): Grow {
  return config.octave_scheme === "residual" ? growResidual : growWhole;
}

/** Adds, in place, the detail of the photograph that its `smaller` size lacks (Keras' example). */
export function addLostDetail(photo: Picture, pixels: Picture, smaller: Size): void {
  const sharp = resized(photo, pixels.height, pixels.width).values;
  const soft = resized(resized(photo, smaller.height, smaller.width), pixels.height, pixels.width).values;
  for (let i = 0; i < sharp.length; i++) pixels.values[i] += sharp[i] - soft[i];
}

/** `pixels`, at the photograph's size, within its masks, with `blend` of the photograph over them; in place. */
export function finish(photo: Photograph, pixels: Picture, within: masks.Mask[], config: DreamConfig): void {
  if (within.length) masks.blend(photo.bytes, pixels.values, within);
  if (!config.blend) return;
  const { values } = pixels;
  for (let i = 0; i < values.length; i++) {
    const clipped = Math.min(255, Math.max(0, values[i]));
    values[i] = clipped + config.blend * (photo.bytes[i] - clipped);
  }
}

/** Pixels as bytes, rounded as NumPy rounds. */
export function toBytes({ values }: Picture): Uint8ClampedArray {
  const bytes = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) bytes[i] = roundHalfEven(Math.min(255, Math.max(0, values[i])));
  return bytes;
}

/** The next octave of google/deepdream: the photograph at `size` and the dream so far, enlarged. */
function growResidual(photo: Picture, pixels: Picture, size: Size): Picture {
  const small = resized(photo, pixels.height, pixels.width).values;
  const detail = { ...pixels, values: pixels.values.map((value, i) => value - small[i]) };
  const grown = resized(detail, size.height, size.width);
  const large = resized(photo, size.height, size.width).values;
  for (let i = 0; i < large.length; i++) grown.values[i] += large[i];
  return grown;
}

/** The next octave of the TensorFlow tutorial: the whole picture, enlarged. */
function growWhole(_: Picture, pixels: Picture, size: Size): Picture {
  return resized(pixels, size.height, size.width);
}
