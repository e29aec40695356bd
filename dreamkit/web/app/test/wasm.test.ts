/** Routines of our own in WebAssembly beside TensorFlow.js, and beside JavaScript. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, expect, test } from "vitest";
import { geometry } from "../src/engine/convolution";
import { maxPoolGradient } from "../src/engine/cpu_kernels";
import { channelsOf, throughRelu } from "../src/engine/wasm/copies";
import * as pooling from "../src/engine/wasm/pooling";
import { normaliseResponses, responseGradient } from "../src/engine/wasm/response_normalisation";
import { isOnWasm } from "../src/engine/wasm/routine";
import { largestDifference } from "./parity";

type Shape = [number, number, number, number];

beforeAll(async () => {
  setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
  expect(isOnWasm()).toBe(true);
});

/** A map with numbers from -1 to 1, the same ones each time; a few are equal. */
function map(shape: Shape, seed: number): tf.Tensor4D {
  const count = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length: count }, (_, i) => Math.round(9 * Math.sin((i + seed) * 12.9898)) / 9);
  return tf.tensor4d(values, shape);
}

function expectClose(found: tf.Tensor, expected: tf.Tensor, tolerance: number): void {
  expect(found.shape).toEqual(expected.shape);
  expect(largestDifference(found.dataSync(), expected.dataSync())).toBeLessThanOrEqual(tolerance);
}

test.each([[3, 2, "same"], [3, 1, "same"], [2, 2, "valid"], [3, 2, "valid"]] as const)(
  "max pooling's gradient, %d pixels, stride %d, %s",
  (side, stride, padding) => {
    tf.tidy(() => {
      const x = map([2, 9, 12, 8], 1);
      const result = tf.maxPool(x, side, stride, padding);
      const placed = geometry([9, 12], [side, side], [stride, stride], padding);
      const upstream = map(result.shape, 2);
      expectClose(pooling.maxPoolGradient(upstream, x, result, placed), maxPoolGradient(upstream, x, result, placed), 0);
    });
  },
);

test.each([0.5, 0.75])("response normalisation with the exponent %d, and its gradient", (beta) => {
  tf.tidy(() => {
    const [x, upstream] = [map([1, 5, 6, 20], 3), map([1, 5, 6, 20], 4)];
    const normalisation = { radius: 2, bias: 1.5, alpha: 0.3, beta };
    const written = (x: tf.Tensor4D) => {
      const padded = tf.pad(tf.square(x), [[0, 0], [0, 0], [0, 0], [2, 2]]);
      const sums = tf.addN([0, 1, 2, 3, 4].map((k) => tf.slice(padded, [0, 0, 0, k], x.shape)));
      return tf.mul(x, tf.pow(tf.add(tf.mul(sums, 0.3), 1.5), -beta)) as tf.Tensor4D;
    };
    expectClose(normaliseResponses(x, normalisation), written(x), 1e-6);
    const gradient = tf.grad((x) => tf.sum(tf.mul(written(x as tf.Tensor4D), upstream)));
    expectClose(responseGradient(upstream, x, normalisation), gradient(x), 1e-5);
  });
});

test("the gate of a ReLU, and some channels of a map", () => {
  tf.tidy(() => {
    const [x, result] = [map([2, 3, 5, 12], 5), tf.relu(map([2, 3, 5, 12], 6))];
    expectClose(throughRelu(x, result), tf.mul(x, tf.step(result)), 0);
    expectClose(channelsOf(x, 4, 8), tf.slice(x, [0, 0, 0, 4], [2, 3, 5, 8]), 0);
  });
});
