/**
 * A step of a network here, beside what TensorFlow.js itself offers: `tf.grad` over a graph model of the same
 * network. `make bench-web` writes both, names their folder in CASES and reads what this writes.
 */

import { writeFileSync } from "node:fs";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { test } from "vitest";
import { bufferOf, json, networkIn } from "../test/files";
import { cosine } from "../test/parity";

interface Stock {
  modelTopology: object;
  weightSpecs: { name: string; shape: number[]; dtype: "float32" | "int32" }[];
  output: string;
}

const folder = process.env.CASES!;

test.skipIf(!folder)("steps", async () => {
  setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
  const { side, layer, rounds } = json<{ side: number; layer: string; rounds: number }>(`${folder}/bench.json`);
  const pixels = new Float32Array(bufferOf(`${folder}/pixels.f32`));
  const network = await networkIn(folder);
  const { output, ...stock } = json<Stock>(`${folder}/stock.json`);
  const artifacts = { ...stock, format: "graph-model", weightData: bufferOf(`${folder}/stock.bin`) };
  const model = await loadGraphModel({ load: async () => artifacts });
  const objective = (x: tf.Tensor) => tf.mean(tf.square(model.execute(x, output) as tf.Tensor)) as tf.Scalar;

  const ways: Record<string, () => Promise<Float32Array>> = {
    dreamkit: async () => {
      const goals = [{ layer, kind: "mean-square" as const, counts: null }];
      const window = { height: side, width: side, values: pixels };
      return (await network.ascent(window, { goals, pulls: [1], border: 0 })).gradient;
    },
    "tf.grad": async () => {
      const gradient = tf.tidy(() => tf.grad(objective)(tf.tensor4d(pixels, [1, side, side, 3])));
      const values = (await gradient.data()) as Float32Array;
      gradient.dispose();
      return values;
    },
  };
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  const found: Float32Array[] = [];
  for (const way of Object.values(ways)) found.push(await way()); // the first call plans, and does not count
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const began = performance.now();
      await way();
      times[name].push((performance.now() - began) / 1000);
    }
  }
  writeFileSync(`${folder}/times.json`, JSON.stringify({ times, cosine: cosine(found[0], found[1]) }));
});
