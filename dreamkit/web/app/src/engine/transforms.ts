/**
 * What happens to the picture before the network sees it, drawn anew for each step: dreamkit's `engine/transforms`. The
 * roll is not one of them, because tiles are read from rolled places.
 */

import type { DreamConfig } from "./config";
import { UserError } from "./errors";
import type { Picture } from "./resize";
import * as rng from "./rng";
import { Warp } from "./warp";

const MOST_COLOR_JITTER = 4;
const MEAN = [123.675, 116.28, 103.53]; // of ImageNet's pixels, 0 to 255
const DEVIATION = [58.395, 57.12, 57.375];

/** A transform with its random numbers drawn. */
export interface AppliedTransform {
  /** The transformed picture, a new one. */
  apply(pixels: Picture): Picture;
  /** The gradient with respect to the picture, from the one with respect to the transformed picture. */
  adjoint(gradient: Picture): Picture;
}

/** Where in a dream a transform is drawn. */
interface Drawing {
  seed: bigint;
  octave: number;
  step: number;
  size: { height: number; width: number };
}

type Draw = (strength: number, drawing: Drawing) => AppliedTransform;

const TRANSFORMS: Record<string, Draw> = { "color-jitter": drawColors, grain: drawGrain };

/** The transforms of a step, in the order in which they are applied; none where the config chooses none. */
export function drawTransforms(config: DreamConfig, drawing: Drawing): AppliedTransform[] {
  const { rotate, zoom, transforms } = config;
  const drawn: AppliedTransform[] = [];
  if (rotate || zoom) {
    const { seed, octave, step } = drawing;
    const [angle, scale] = rng.warp(seed, octave, step, (rotate * Math.PI) / 180, zoom);
    drawn.push(new Warp(angle, scale));
  }
  for (const [name, strength] of Object.entries(transforms ?? {})) drawn.push(TRANSFORMS[name](strength, drawing));
  return drawn;
}

/** Random brightness and contrast of each colour (Ghiasi et al., "What do Vision Transformers Learn?", 2022). */
function drawColors(strength: number, { seed, octave, step }: Drawing): AppliedTransform {
  if (!(strength >= 0 && strength <= MOST_COLOR_JITTER)) {
    throw new UserError(`transforms has color-jitter=${strength}; it takes 0 to ${MOST_COLOR_JITTER}`);
  }
  const numbers = rng.colors(seed, octave, step).map((each) => strength * each);
  const factor = [0, 1, 2].map((k) => Math.exp(-numbers[3 + k]));
  const offset = factor.map((each, k) => Math.fround(MEAN[k] - each * (MEAN[k] + DEVIATION[k] * numbers[k])));
  const single = factor.map(Math.fround);
  return {
    apply: (pixels) => ({ ...pixels, values: pixels.values.map((each, i) => Math.fround(each * single[i % 3]) + offset[i % 3]) }),
    adjoint: (gradient) => ({ ...gradient, values: gradient.values.map((each, i) => each * single[i % 3]) }),
  };
}

/** Random noise on every pixel, whose standard deviation in pixels is the strength. */
function drawGrain(strength: number, { seed, octave, step, size }: Drawing): AppliedTransform {
  const noise = rng.grain(seed, octave, step, size.height, size.width);
  const single = Math.fround(strength);
  return {
    apply: (pixels) => ({ ...pixels, values: pixels.values.map((each, i) => each + Math.fround(noise[i] * single)) }),
    adjoint: (gradient) => gradient,
  };
}
