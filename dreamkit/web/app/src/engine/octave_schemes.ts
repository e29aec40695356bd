/** How a dream passes from one octave to the next: dreamkit's `engine/octave_schemes.py`. */

import type { DreamConfig } from "./config";
import * as masks from "./masks";
import { roundHalfEven } from "./numbers";
import { scaled } from "./octaves";
import { type Picture, resized } from "./resize";
import { CENTRE, clouds } from "./rng";
import { wrappedAxes } from "./wrap";

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
type Resize = (picture: Picture, size: Size) => Picture;

/**
 * The photograph at the size of the smallest octave, with the clouds of a seed other than 0, which decide what grows
 * where. They change lightness alone.
 */
export function compose(photo: Picture, { height, width }: Size, config: DreamConfig): Picture {
  const wraps = wrappedAxes(config.wrap);
  const pixels = resized(photo, height, width, 3, wraps);
  const seed = BigInt(config.seed);
  if (!seed || !config.clouds) return pixels;
  const grid = scaled(height, width, CLOUD_CELLS / Math.max(height, width));
  const drawn = clouds(seed, grid.height, grid.width, config.clouds, wraps);
  const lightness = { ...grid, values: Float32Array.from({ length: drawn.length / 3 }, (_, i) => drawn[3 * i] - CENTRE) };
  const shift = resized(lightness, height, width, 1, wraps).values;
  for (let i = 0; i < pixels.values.length; i++) {
    const moved = Math.fround(pixels.values[i] + shift[Math.floor(i / 3)]);
    pixels.values[i] = Math.min(255, Math.max(0, moved));
  }
  return pixels;
}

/** The function that brings a dream to the size of its next octave. */
export function growFunction(config: DreamConfig): Grow {
  const resize = resizeOf(config);
  return config.octave_scheme === "residual" ? growResidual(resize) : (_, pixels, size) => resize(pixels, size);
}

/** Adds, in place, the detail of the photograph that its `smaller` size lacks (Keras' example). */
export function addLostDetail(photo: Picture, pixels: Picture, smaller: Size, config: DreamConfig): void {
  const resize = resizeOf(config);
  const sharp = resize(photo, pixels).values;
  const soft = resize(resize(photo, smaller), pixels).values;
  for (let i = 0; i < sharp.length; i++) pixels.values[i] += sharp[i] - soft[i];
}

/** `pixels`, at the photograph's size, within its masks, with `blend` of the photograph over them; in place. */
export function finish(photo: Photograph, pixels: Picture, within: masks.Mask[], config: DreamConfig): void {
  if (within.length) masks.blend(photo.bytes, pixels.values, within, wrappedAxes(config.wrap));
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

/** Enlarges the photograph and what was dreamed apart, as google/deepdream does from octave to octave. */
function growResidual(resize: Resize): Grow {
  return (photo, pixels, size) => {
    const small = resize(photo, pixels).values;
    const detail = { ...pixels, values: pixels.values.map((value, i) => value - small[i]) };
    const grown = resize(detail, size);
    const large = resize(photo, size).values;
    for (let i = 0; i < large.length; i++) grown.values[i] += large[i];
    return grown;
  };
}

function resizeOf(config: DreamConfig): Resize {
  const wraps = wrappedAxes(config.wrap);
  return (picture, { height, width }) => resized(picture, height, width, 3, wraps);
}
