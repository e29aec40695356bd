/**
 * Two kernels in plain JavaScript, for the backends whose tensors JavaScript can read in memory: TensorFlow.js' own
 * are slow, and its gradient of max pooling is wrong where the largest value of a window is below zero. On
 * WebAssembly, `wasm/pooling.ts` takes the place of the first one where channels are a multiple of four.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { Geometry } from "./convolution";
import { empty, isOnWasm, view } from "./wasm/routine";

/** Whether the backend computes on the CPU, so that tensors can be read without waiting. */
export function isOnCpu(): boolean {
  return tf.getBackend() === "wasm" || tf.getBackend() === "cpu";
}

/** The gradient of max pooling with `result`: where values are equal, the first of a window gets all of it. */
export function maxPoolGradient(
  upstream: tf.Tensor4D,
  x: tf.Tensor4D,
  result: tf.Tensor4D,
  { rows, columns }: Geometry,
): tf.Tensor4D {
  const [pictures, height, width, channels] = x.shape;
  const [values, largest, incoming] = [x.dataSync(), result.dataSync(), upstream.dataSync()];
  const gradient = new Float32Array(values.length);
  const positions = new Int32Array(rows.taps * columns.taps); // of a window's pixels in the map
  let window = 0;
  for (let picture = 0; picture < pictures; picture++) {
    for (let down = 0; down < rows.output; down++) {
      const top = down * rows.stride - rows.before;
      const bottom = Math.min(height, top + rows.taps);
      for (let across = 0; across < columns.output; across++, window += channels) {
        const left = across * columns.stride - columns.before;
        const right = Math.min(width, left + columns.taps);
        let count = 0;
        for (let y = Math.max(0, top); y < bottom; y++) {
          const line = (picture * height + y) * width;
          for (let x = Math.max(0, left); x < right; x++) positions[count++] = (line + x) * channels;
        }
        for (let channel = 0; channel < channels; channel++) {
          const most = largest[window + channel];
          for (let i = 0; i < count; i++) {
            const at = positions[i] + channel;
            if (values[at] === most) {
              gradient[at] += incoming[window + channel];
              break;
            }
          }
        }
      }
    }
  }
  return tf.tensor4d(gradient, x.shape);
}

/**
 * One map of `height` and `width` from `down` times `across` phases that lie side by side as channels. Rows and
 * columns beyond that size are left out.
 */
export function interleave(
  phased: tf.Tensor4D,
  down: number,
  across: number,
  height: number,
  width: number,
): tf.Tensor4D {
  const [pictures, rows, columns, all] = phased.shape;
  const channels = all / down / across;
  const shape: [number, number, number, number] = [pictures, height, width, channels];
  // A tensor in WebAssembly's memory is read and written there.
  const out = isOnWasm() ? empty(shape) : null;
  const values = out ? view(phased) : phased.dataSync();
  const result = out ? view(out) : new Float32Array(pictures * height * width * channels);
  let to = 0;
  for (let picture = 0; picture < pictures; picture++) {
    for (let y = 0; y < height; y++) {
      const line = (picture * rows + Math.floor(y / down)) * columns;
      const row = (y % down) * across;
      for (let x = 0; x < width; x++) {
        let from = (line + Math.floor(x / across)) * all + (row + (x % across)) * channels;
        for (let channel = 0; channel < channels; channel++) result[to++] = values[from++];
      }
    }
  }
  return out ?? tf.tensor4d(result, shape);
}
