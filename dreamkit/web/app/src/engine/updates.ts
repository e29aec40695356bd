/** Updates, how a gradient becomes the direction of a step: dreamkit's `engine/updates`. */

import * as color from "./color";
import type { DreamConfig } from "./config";
import { equalise } from "./laplacian";
import { normalise } from "./normalisation";
import type { Picture } from "./resize";
import { blurred, widths } from "./smoothing";
import { wrappedAxes } from "./wrap";

const SMOOTH_WIDTH = 0.5; // pixels

/** What is known of a gradient beside its values. */
export interface GradientContext {
  /** Which step of the octave, from 0, and how many it has. */
  step: number;
  steps: number;
  /** Share of the picture that was computed, 0 to 1. */
  coverage: number;
  /** How many times to smooth it. */
  blurs: number;
}

/** Changes a gradient in place. */
export type Shape = (gradient: Picture, context: GradientContext) => void | Promise<void>;

/** What is done to a gradient, in order: units, smoothing, colour, normalisation. */
export function shaping(config: DreamConfig): Shape[] {
  const shapes: Shape[] = [];
  const wraps = wrappedAxes(config.wrap);
  // Where every colour has the same unit, normalisation cancels it.
  if (config.space === "pixels" && (new Set(config.unit).size > 1 || config.normalise === "none")) {
    shapes.push(({ values }) => {
      for (let i = 0; i < values.length; i++) values[i] *= config.unit[i % 3];
    });
  }
  if (config.smooth === "gaussian") {
    shapes.push(async (gradient, { step, steps, blurs }) => {
      const sigma = widths(step, steps, config.smooth_width ?? SMOOTH_WIDTH);
      for (let blur = 0; blur < blurs; blur++) {
        gradient.values = await blurred(gradient.values, gradient.height, gradient.width, sigma, wraps);
      }
    });
  } else if (config.smooth === "laplacian") {
    shapes.push((gradient) => equalise(gradient, config.smooth_levels, wraps));
  }
  if (config.color > color.FREE) {
    const matrix = color.direction(config.color);
    shapes.push(({ values }) => color.turn(values, matrix));
  }
  shapes.push(({ values }, { coverage }) => normalise(values, config.normalise, coverage));
  return shapes;
}
