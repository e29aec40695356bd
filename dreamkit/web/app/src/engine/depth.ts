/** What suits a layer by its depth, which its stride in pixels shows: dreamkit's `engine/depth.py`. */

const STEPS = 15;
const DEEP_STEPS = 25;
const SHALLOW = 16; // the largest stride of layers that need no more than others
const LARGE = 1_000_000; // pixels, above which an octave takes fewer steps
const FEWEST = 2;

/**
 * How many steps an octave takes: what a deep layer sees is large and grows slowly. `pixels` is the size of an
 * octave that continues a smaller one: a large one adds only what is fine, and takes no more time than one of a
 * megapixel, except for the fewest steps.
 */
export function stepsFor(stride: number, pixels = 0): number {
  const usual = stride <= SHALLOW ? STEPS : DEEP_STEPS;
  return Math.max(FEWEST, Math.floor((usual * LARGE) / Math.max(LARGE, pixels)));
}

/** How many times a gradient is smoothed: the deeper a layer, the finer the noise beside its shapes. */
export function blursFor(stride: number): number {
  return stride <= SHALLOW ? 1 : 2;
}
