/** `gradients.test.ts` for WebGPU, which only browsers have: a page that dreamkit's Python tests drive. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";
import { type Agreement, agreement } from "./gradient_case";

declare global {
  var agreementOf: (folder: string) => Promise<Agreement>;
}

await tf.setBackend("webgpu");
globalThis.agreementOf = (folder) => agreement(async (path) => (await fetch(`${folder}/${path}`)).arrayBuffer());
