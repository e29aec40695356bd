/**
 * Compute programs of our own on TensorFlow.js' WebGPU backend, in WGSL. TensorFlow.js declares the buffers
 * (`result`, and one for each input), the uniforms (with the shapes, as `xShape` and `outShape`) and the
 * builtins `localIndex` and `workgroupId`; a program gives the rest, with the function `main`.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUBackend, WebGPUProgram } from "@tensorflow/tfjs-backend-webgpu";

export interface Program {
  /** Unique for each source, because compiled sources are kept by this name. */
  name: string;
  source: string;
  inputs: Record<string, tf.Tensor>;
  /** How many numbers an element of each input's buffer has, and of the result's, 1 or 4. */
  lanes: { inputs: number[]; result: number };
  uniforms: Record<string, number[]>;
  shape: [number, number, number, number];
  threads: [number, number, number];
  /** Workgroups: a grid, or their number, and then `main` gets the index of its thread. */
  dispatch: number | [number, number, number];
}

const KERNEL = "DreamkitProgram";

/** Whether tensors are on a graphics card that runs these programs. */
export function isOnWebgpu(): boolean {
  return tf.getBackend() === "webgpu";
}

/** The result of a program: a new tensor of its shape. */
export function run(program: Program): tf.Tensor4D {
  const attributes = { program } as unknown as Record<string, never>;
  return tf.engine().runKernel(KERNEL, program.inputs as tf.NamedTensorMap, attributes) as tf.Tensor4D;
}

/** How many numbers of `channels` channels a thread can read at once. */
export function lanes(channels: number): 1 | 4 {
  return channels % 4 === 0 ? 4 : 1;
}

tf.registerKernel({
  kernelName: KERNEL,
  backendName: "webgpu",
  kernelFunc: ({ attrs, backend }) => {
    const program = (attrs as unknown as { program: Program }).program;
    const uniforms = Object.values(program.uniforms).map((data) => ({ type: "int32", data }));
    const inputs = Object.values(program.inputs);
    return (backend as unknown as WebGPUBackend).runWebGPUProgram(described(program), inputs, "float32", uniforms);
  },
});

function described(program: Program): WebGPUProgram {
  const { name, source, inputs, lanes, uniforms, shape, threads, dispatch } = program;
  const isGrid = typeof dispatch !== "number";
  return {
    shaderKey: name,
    getUserCode: () => source,
    variableNames: Object.keys(inputs),
    variableComponents: lanes.inputs,
    outputComponent: lanes.result,
    uniforms: Object.entries(uniforms)
      .map(([field, { length }]) => `${field} : ${length === 1 ? "i32" : `vec${length}<i32>`},`)
      .join(" "),
    outputShape: shape,
    workgroupSize: threads,
    size: !isGrid,
    dispatch: isGrid ? dispatch : [dispatch, 1, 1],
    dispatchLayout: isGrid ? { x: [3], y: [1, 2], z: [0] } : { x: [0, 1, 2, 3] },
  };
}
