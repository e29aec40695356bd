/** Convolutions of our own in WebAssembly beside TensorFlow.js'. */

import * as tf from "@tensorflow/tfjs-core";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, expect, test } from "vitest";
import { ownKernel } from "../src/engine/wasm/convolution";
import { largestDifference } from "./parity";

beforeAll(async () => {
  setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
});

/** Numbers from -1 to 1, the same ones each time. */
function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed) * 12.9898 + seed));
}

/** Taps along a side, pictures, height, width, inputs, outputs, zeros around. */
const CASES = [
  [3, 1, 16, 24, 16, 24, 1],
  [3, 1, 13, 18, 20, 28, 1],
  [3, 2, 11, 9, 16, 16, 0],
  [3, 1, 33, 41, 32, 12, 2],
  [4, 1, 17, 20, 64, 12, 1],
  [5, 1, 15, 22, 16, 48, 2],
  [1, 1, 13, 17, 24, 12, 0],
  [1, 2, 5, 1, 8, 20, 0],
  [3, 1, 60, 50, 8, 8, 1],
];

test.each(CASES)("a convolution with %d taps of %d x %d x %d pixels, %d to %d channels, %d zeros around", (...given) => {
  const [taps, pictures, height, width, inputs, outputs, around] = given;
  const shape: [number, number, number, number] = [taps, taps, inputs, outputs];
  const [values, bias] = [numbers(taps ** 2 * inputs * outputs, 1), numbers(outputs, 2)];
  const x = tf.tensor4d(numbers(pictures * height * width * inputs, 3), [pictures, height, width, inputs]);
  const gate = tf.tensor4d(numbers(x.size, 4), x.shape);
  const size = [height, width].map((side) => side + 2 * around + 1 - taps) as [number, number];
  const kernel = ownKernel(values, shape, bias);
  const pad = [[0, 0], [around, around], [around, around], [0, 0]] as tf.backend_util.ExplicitPadding;
  for (const [isRelu, isGated] of [[false, false], [true, false], [false, true]]) {
    const found = kernel.convolve(x, { size, before: [around, around] }, isRelu, isGated ? gate : undefined);
    const expected = tf.tidy(() => {
      const seen = (isGated ? tf.mul(x, tf.step(gate)) : x) as tf.Tensor4D;
      const sums = tf.add(tf.conv2d(seen, tf.tensor4d(values, shape), 1, pad as unknown as "valid"), tf.tensor1d(bias));
      return isRelu ? tf.relu(sums) : sums;
    });
    expect(found.shape).toEqual(expected.shape);
    expect(largestDifference(found.dataSync(), expected.dataSync())).toBeLessThan(2e-4);
    tf.dispose([found, expected]);
  }
  kernel.dispose();
  tf.dispose([x, gate]);
  expect(tf.memory().numTensors).toBe(0);
});
