/** A case that dreamkit's Python tests write: a network, a picture, and TensorFlow's gradient. */

import * as tf from "@tensorflow/tfjs-core";
import type { NetworkDescription } from "../src/engine/network";
import { buildNetwork } from "../src/engine/network_files";

interface Case {
  height: number;
  width: number;
  specs: { layer: string; kind: "mean" | "mean-square" }[];
  objectives: number[];
  mean_squares: number[];
}

export interface Agreement {
  cosine: number;
  /** The following are ratios of this page's numbers to TensorFlow's. */
  size: number;
  objectives: number[];
  meanSquares: number[];
  /** Tensors that the network left behind. */
  tensors: number;
}

/** How well the gradient on the current backend agrees; `read` gives the content of the case's files. */
export async function agreement(read: (path: string) => Promise<ArrayBuffer>): Promise<Agreement> {
  const json = async (path: string) => JSON.parse(new TextDecoder().decode(await read(path)));
  const known: Case = await json("case.json");
  const before = tf.memory().numTensors;
  const network = await buildNetwork((await json("model.json")) as NetworkDescription, read);
  const specs = known.specs.map((spec) => ({ ...spec, channelWeights: null }));
  const { height, width } = known;
  const window = { height, width, values: new Float32Array(await read("pixels.f32")) };
  const weights = specs.map((_, i) => 1 / (known.mean_squares[i] || 1));
  const result = await network.step(window, { specs, weights, border: 0 });
  network.dispose();
  const expected = new Float32Array(await read("gradient.f32"));
  const [ours, theirs] = [product(result.gradient, result.gradient), product(expected, expected)];
  return {
    cosine: product(result.gradient, expected) / Math.sqrt(ours * theirs),
    size: Math.sqrt(ours / theirs),
    objectives: result.objectives.map((each, i) => each / known.objectives[i]),
    meanSquares: result.meanSquares.map((each, i) => each / known.mean_squares[i]),
    tensors: tf.memory().numTensors - before,
  };
}

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
