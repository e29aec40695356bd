/**
 * Compares the gradients of exported networks and single operations with TensorFlow's. dreamkit's Python tests
 * write them to a folder and name it in CASES; without CASES, these tests are skipped.
 */

import { existsSync, readdirSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { readBuffer, readJson, readNetwork } from "./files";
import { cosine } from "./parity";

const folder = process.env.CASES ?? "";
const names = existsSync(folder) ? readdirSync(folder) : [];
const backends = (process.env.BACKENDS ?? "wasm").split(" ");

interface Case {
  height: number;
  width: number;
  specs: { layer: string; kind: "mean" | "mean-square" }[];
  objectives: number[];
  mean_squares: number[];
}

beforeAll(() => setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/"));

describe.skipIf(!names.length).each(backends)("gradients on %s", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  test.each(names.length ? names : ["none"])("%s", async (name) => {
    const at = `${folder}/${name}`;
    const before = tf.memory().numTensors;
    const network = await readNetwork(at);
    const known = readJson<Case>(`${at}/case.json`);
    const specs = known.specs.map((spec) => ({ ...spec, channelWeights: null }));
    const { height, width } = known;
    const window = { height, width, values: new Float32Array(readBuffer(`${at}/pixels.f32`)) };
    const weights = specs.map((_, i) => 1 / (known.mean_squares[i] || 1));
    const result = await network.step(window, { specs, weights, border: 0 });
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const expected = new Float32Array(readBuffer(`${at}/gradient.f32`));
    const angle = cosine(result.gradient, expected);
    const size = Math.sqrt(squared(result.gradient) / squared(expected));
    console.log(`${name} on ${backend}: 1 - cosine ${(1 - angle).toExponential(1)}`);
    expect(angle).toBeGreaterThan(0.9999);
    expect(size).toBeCloseTo(1, 2);
    result.objectives.forEach((each, i) => expect(each / known.objectives[i]).toBeCloseTo(1, 3));
    result.meanSquares.forEach((each, i) => expect(each / known.mean_squares[i]).toBeCloseTo(1, 3));
  });
});

function squared(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
