/** A network as TensorFlow.js' own graph model. */

import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { readBuffer, readJson } from "../test/files";

interface Stock {
  modelTopology: object;
  weightSpecs: { name: string; shape: number[]; dtype: "float32" | "int32" }[];
  output: string;
}

export async function startWasm(): Promise<void> {
  setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
}

/** The activation of the one layer for which the benchmark wrote the network to `folder`. */
export async function readStock(folder: string): Promise<(x: tf.Tensor) => tf.Tensor> {
  const { output, ...stock } = readJson<Stock>(`${folder}/stock.json`);
  const artifacts = { ...stock, format: "graph-model", weightData: readBuffer(`${folder}/stock.bin`) };
  const model: GraphModel = await loadGraphModel({ load: async () => artifacts });
  return (x) => model.execute(x, output) as tf.Tensor;
}
