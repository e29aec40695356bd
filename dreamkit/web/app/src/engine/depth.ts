/** What suits a layer by its depth, which its stride in pixels shows: dreamkit's `engine/depth.py`. */

const STEPS = 15;
const DEEP_STEPS = 25;
const SHALLOW = 16; // the largest stride of layers that need no more than others

/** How many steps an octave takes: what a deep layer sees is large and grows slowly. */
export function stepsFor(stride: number): number {
  return stride <= SHALLOW ? STEPS : DEEP_STEPS;
}

/** How many times a gradient is smoothed: the deeper a layer, the finer the noise beside its shapes. */
export function blursFor(stride: number): number {
  return stride <= SHALLOW ? 1 : 2;
}
