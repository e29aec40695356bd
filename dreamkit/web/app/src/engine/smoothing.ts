/** Smooths a gradient with the mean of three Gaussian blurs: dreamkit's `engine/updates/smoothing.py`. */

import * as tf from "@tensorflow/tfjs-core";
import { wrapped } from "./numbers";
import { isOnWasm } from "./wasm/routine";
import { blur } from "./wasm/smoothing";
import { OPEN } from "./wrap";

const CASCADE = [0.5, 1, 2]; // widths of the three blurs, in sigmas
export const REACH = 4; // pixels from the centre of a blur's kernel to its edge
const TAPS = 2 * REACH + 1;

/** The `sigma` of step `step = 0 .. steps - 1`; it grows with the steps. */
export function widths(step: number, steps: number, sigma: number): number {
  return ((step + 1) / steps) * 2 + sigma;
}

/** `gradient`, `(height, width, 3)`, blurred; edges are mirrored, or continue at the other side where an axis wraps. */
export async function blurred(
  gradient: Float32Array,
  height: number,
  width: number,
  sigma: number,
  wraps = OPEN,
): Promise<Float32Array> {
  const [rows, columns] = [placesOf(height, wraps[0]), placesOf(width, wraps[1])];
  const taps = kernel(sigma);
  if (isOnWasm()) return blur(gradient, width, rows, columns, taps);
  const out = tf.tidy(() => {
    const planes = tf.tensor4d(gradient, [1, height, width, 3]);
    const tall = tf.gather(planes, tf.tensor1d(rows, "int32"), 1);
    const padded = tf.gather(tall, tf.tensor1d(columns, "int32"), 2) as tf.Tensor4D;
    const each = Float32Array.from({ length: TAPS * TAPS * 3 }, (_, i) => taps[Math.floor(i / 3)]);
    return tf.depthwiseConv2d(padded, tf.tensor4d(each, [TAPS, TAPS, 3, 1]), 1, "valid");
  });
  const values = (await out.data()) as Float32Array;
  out.dispose();
  return values;
}

/** The indices of the pixels at `-REACH .. length + REACH - 1`, mirrored or wrapped; all are 0 where `length` is 1. */
function placesOf(length: number, wraps: boolean): number[] {
  const period = Math.max(2 * (length - 1), 1);
  return Array.from({ length: length + 2 * REACH }, (_, i) => {
    if (wraps) return wrapped(i - REACH, length);
    const index = wrapped(i - REACH, period);
    return Math.min(index, period - index);
  });
}

/** The weights of the kernel, `TAPS x TAPS`. */
function kernel(sigma: number): Float32Array {
  const values = new Float32Array(TAPS * TAPS);
  for (const factor of CASCADE) {
    const taps = Array.from({ length: TAPS }, (_, i) =>
      Math.exp(-((i - REACH) ** 2) / (2 * (sigma * factor) ** 2)),
    );
    const sum = taps.reduce((total, tap) => total + tap, 0);
    for (let i = 0; i < values.length; i++) {
      values[i] += (taps[Math.floor(i / TAPS)] * taps[i % TAPS]) / sum ** 2 / CASCADE.length;
    }
  }
  return values;
}
