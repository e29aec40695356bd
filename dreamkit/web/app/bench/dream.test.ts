/**
 * Compares whole dreams of one photograph: the page's defaults on pocket and on inception5h, and the loop of 2015 in
 * plain TensorFlow.js. `make bench-web` writes the networks to a folder, names it in DREAM, and reads the times.
 */

import { writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { dream } from "../src/engine/loop";
import { readBuffer, readJson, readNetwork } from "../test/files";
import { PLAIN_STEPS, plainDream } from "./plain_loop";
import { readStock, startWasm } from "./stock";

interface Plan {
  height: number;
  width: number;
  rounds: number;
  configs: Record<string, DreamConfig>;
}

const folder = process.env.DREAM!;

test.skipIf(!folder)("dreams", async () => {
  await startWasm();
  const { height, width, rounds, configs } = readJson<Plan>(`${folder}/bench.json`);
  const photo = { height, width, bytes: new Uint8ClampedArray(readBuffer(`${folder}/photo.u8`)) };
  const activation = await readStock(`${folder}/inception5h`);
  const methods: Record<string, () => Promise<{ steps: number; pixels: ArrayLike<number> }>> = {};
  for (const [name, config] of Object.entries(configs)) {
    const network = await readNetwork(`${folder}/${name}`);
    methods[name] = async () => {
      const run = dream(photo, network, config);
      for (let steps = 0; ; steps++) {
        const next = await run.next();
        if (next.done) return { steps, pixels: next.value.pixels };
      }
    };
  }
  methods.plain = async () => {
    const start = tf.tensor4d(Float32Array.from(photo.bytes), [1, height, width, 3]);
    const memory = tf.engine().startScope();
    const pixels = await (await plainDream(start, activation)).data();
    tf.engine().endScope(memory);
    start.dispose();
    return { steps: PLAIN_STEPS, pixels };
  };
  const times: Record<string, number[]> = {};
  const busy: Record<string, number[]> = {}; // processor seconds, which other programs on the machine change little
  const steps: Record<string, number> = {};
  for (let round = 0; round <= rounds; round++) {
    for (const [name, method] of Object.entries(methods)) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      const result = await method();
      steps[name] = result.steps;
      // The first round is a warm-up, which does not count.
      if (round) {
        const { user, system } = process.cpuUsage(used);
        (times[name] ??= []).push((performance.now() - start) / 1000);
        (busy[name] ??= []).push((user + system) / 1e6);
      } else writeFileSync(`${folder}/${name}.u8`, Uint8ClampedArray.from(result.pixels));
    }
  }
  writeFileSync(`${folder}/times.json`, JSON.stringify({ times, busy, steps }));
});
