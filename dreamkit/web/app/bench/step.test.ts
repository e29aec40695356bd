/**
 * Compares a step of the page with TensorFlow.js' own `tf.grad` over a graph model of the same network.
 * `make bench-web` writes both to a folder, names it in STEP, and reads the times from there.
 */

import { writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { test } from "vitest";
import { readBuffer, readJson, readNetwork } from "../test/files";
import { cosine } from "../test/parity";
import { readStock, startWasm } from "./stock";

const folder = process.env.STEP!;

test.skipIf(!folder)("steps", async () => {
  await startWasm();
  const { side, layer, rounds } = readJson<{ side: number; layer: string; rounds: number }>(`${folder}/bench.json`);
  const pixels = new Float32Array(readBuffer(`${folder}/pixels.f32`));
  const network = await readNetwork(folder);
  const activation = await readStock(folder);
  const objective = (x: tf.Tensor) => tf.mean(tf.square(activation(x))) as tf.Scalar;

  const methods: Record<string, () => Promise<Float32Array>> = {
    dreamkit: async () => {
      const specs = [{ layer, kind: "mean-square" as const, channelWeights: null }];
      const window = { height: side, width: side, values: pixels };
      return (await network.step(window, { specs, weights: [1], border: 0 })).gradient;
    },
    "tf.grad": async () => {
      const gradient = tf.tidy(() => tf.grad(objective)(tf.tensor4d(pixels, [1, side, side, 3])));
      const values = (await gradient.data()) as Float32Array;
      gradient.dispose();
      return values;
    },
  };
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(methods).map((name) => [name, []]));
  const gradients: Float32Array[] = [];
  for (const method of Object.values(methods)) gradients.push(await method()); // a warm-up, which does not count
  for (let round = 0; round < rounds; round++) {
    for (const [name, method] of Object.entries(methods)) {
      const start = performance.now();
      await method();
      times[name].push((performance.now() - start) / 1000);
    }
  }
  writeFileSync(`${folder}/times.json`, JSON.stringify({ times, cosine: cosine(gradients[0], gradients[1]) }));
});
