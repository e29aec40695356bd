/**
 * Two kernels in plain JavaScript, for the backends whose tensors lie in memory that JavaScript reads. On
 * WebAssembly they take a tenth of the time of TensorFlow.js' own, and the gradient of max pooling, which is
 * wrong there where a window's largest value is below zero, is right.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { Geometry } from "./convolution";

/** Whether tensors are read without waiting for a graphics card. */
export function isInMemory(): boolean {
  return tf.getBackend() === "wasm" || tf.getBackend() === "cpu";
}

/** The gradient of max pooling with `result`: of equal values, the first one of a window takes all. */
export function maxPoolGradient(
  upstream: tf.Tensor4D,
  x: tf.Tensor4D,
  result: tf.Tensor4D,
  { rows, columns }: Geometry,
): tf.Tensor4D {
  const [pictures, height, width, channels] = x.shape;
  const [values, largest, passed] = [x.dataSync(), result.dataSync(), upstream.dataSync()];
  const gradient = new Float32Array(values.length);
  const places = new Int32Array(rows.taps * columns.taps); // of a window, in the map
  let window = 0;
  for (let picture = 0; picture < pictures; picture++) {
    for (let down = 0; down < rows.outside; down++) {
      const top = down * rows.stride - rows.before;
      const bottom = Math.min(height, top + rows.taps);
      for (let across = 0; across < columns.outside; across++, window += channels) {
        const left = across * columns.stride - columns.before;
        const right = Math.min(width, left + columns.taps);
        let count = 0;
        for (let y = Math.max(0, top); y < bottom; y++) {
          const line = (picture * height + y) * width;
          for (let x = Math.max(0, left); x < right; x++) places[count++] = (line + x) * channels;
        }
        for (let channel = 0; channel < channels; channel++) {
          const most = largest[window + channel];
          for (let place = 0; place < count; place++) {
            const at = places[place] + channel;
            if (values[at] === most) {
              gradient[at] += passed[window + channel];
              break;
            }
          }
        }
      }
    }
  }
  return tf.tensor4d(gradient, x.shape);
}

/** Phases that lie side by side as channels, `down` times `across` of them, as the first rows and columns of one
 * map of `height` and `width`. */
export function interleaved(
  phased: tf.Tensor4D,
  down: number,
  across: number,
  height: number,
  width: number,
): tf.Tensor4D {
  const [pictures, rows, columns, all] = phased.shape;
  const channels = all / down / across;
  const values = phased.dataSync();
  const out = new Float32Array(pictures * height * width * channels);
  let to = 0;
  for (let picture = 0; picture < pictures; picture++) {
    for (let y = 0; y < height; y++) {
      const line = (picture * rows + Math.floor(y / down)) * columns;
      const row = (y % down) * across;
      for (let x = 0; x < width; x++) {
        let from = (line + Math.floor(x / across)) * all + (row + (x % across)) * channels;
        for (let channel = 0; channel < channels; channel++) out[to++] = values[from++];
      }
    }
  }
  return tf.tensor4d(out, [pictures, height, width, channels]);
}
