/** Convolutions of our own in WebAssembly, and where they are faster than TensorFlow.js'. */

import type * as tf from "@tensorflow/tfjs-core";
import { PointwiseKernel } from "./pointwise";
import { isOnWasm, threads } from "./routine";
import { TransformedKernel, tilesOf } from "./winograd";

const MOST_THREADS = 2; // of TensorFlow.js' own convolutions, beyond which those are faster
const FEWEST_CHANNELS = 8;
const FEWEST_PLACES = 8; // fewer do not pay for reading the matrices

/** Height, width, inputs, outputs. */
export type KernelShape = [number, number, number, number];

/** Where a convolution with stride 1 starts, and its size. */
export interface Placement {
  /** Height and width of the result. */
  size: [number, number];
  /** Rows and columns of zeros before the first pixel. */
  before: [number, number];
}

export interface OwnKernel {
  /** The convolution of `x`, `(n, height, width, inputs)`. Where `gate` is zero or less, `x` counts as zero. */
  convolve(x: tf.Tensor4D, placement: Placement, isRelu: boolean, gate?: tf.Tensor4D): tf.Tensor4D;
  dispose(): void;
}

/** Whether a convolution of `x` with stride 1 is computed, and sooner than by TensorFlow.js. */
export function isFaster(
  [height, width, inputs, outputs]: KernelShape,
  dilations: number[],
  x: tf.Tensor4D,
  { size, before }: Placement,
): boolean {
  if (!isOnWasm() || threads() > MOST_THREADS || height !== width || dilations.some((each) => each !== 1)) return false;
  if (inputs % 4 || outputs % 4 || Math.min(inputs, outputs) < FEWEST_CHANNELS) return false;
  if (height === 1) return size[0] === x.shape[1] && size[1] === x.shape[2] && size[0] * size[1] >= FEWEST_PLACES;
  if (height < 3 || height > 5 || before.some((each) => each < 0)) return false;
  const [down, across] = tilesOf(size, height);
  return down * across >= FEWEST_PLACES;
}

/** A kernel with the values of one of this shape. */
export function ownKernel(values: Float32Array, shape: KernelShape, bias?: Float32Array): OwnKernel {
  return shape[0] === 1 ? new PointwiseKernel(values, shape, bias) : new TransformedKernel(values, shape, bias);
}
