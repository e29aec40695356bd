/**
 * Compares the gradients of exported networks and single operations with TensorFlow's. dreamkit's Python tests
 * write them to a folder and name it in CASES; without CASES, these tests are skipped.
 */

import { existsSync, readdirSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { readBuffer } from "./files";
import { agreement } from "./gradient_case";

const folder = process.env.CASES ?? "";
const names = existsSync(folder) ? readdirSync(folder) : [];
const backends = (process.env.BACKENDS ?? "wasm").split(" ");

beforeAll(() => setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/"));

describe.skipIf(!names.length).each(backends)("gradients on %s", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  test.each(names.length ? names : ["none"])("%s", async (name) => {
    const found = await agreement(async (path) => readBuffer(`${folder}/${name}/${path}`));
    console.log(`${name} on ${backend}: 1 - cosine ${(1 - found.cosine).toExponential(1)}`);
    expect(found.tensors).toBe(0);
    expect(found.cosine).toBeGreaterThan(0.9999);
    expect(found.size).toBeCloseTo(1, 2);
    for (const ratio of [...found.objectives, ...found.meanSquares]) expect(ratio).toBeCloseTo(1, 3);
  });
});
