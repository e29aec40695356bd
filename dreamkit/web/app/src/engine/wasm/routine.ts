/** Routines of our own on TensorFlow.js' WebAssembly backend, which compute in the memory of its tensors. */

import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { Routine, V128, vectors } from "./assembler";

/** Compiled once for each memory, by name; a backend that starts again has a new memory. */
const compiled = new WeakMap<WebAssembly.Memory, Map<string, (...values: number[]) => void>>();
let hasVectors: boolean | undefined;

/** Whether tensors are in a memory where these routines can run. */
export function isOnWasm(): boolean {
  return tf.getBackend() === "wasm" && (hasVectors ??= supportsVectors());
}

function supportsVectors(): boolean {
  const routine = new Routine([]);
  routine.do(routine.variable(V128).set(vectors.zero));
  return WebAssembly.validate(routine.module(false));
}

/** How many threads TensorFlow.js' own kernels use; these routines use one. */
export function threads(): number {
  return (tf.backend() as BackendWasm).wasm.tfjs.getThreadsCount();
}

/** A tensor of a shape, whose numbers are not set yet. */
export function empty(shape: [number, number, number, number]): tf.Tensor4D {
  const backend = tf.backend() as BackendWasm;
  const info = backend.makeOutput(shape, "float32");
  // TensorFlow.js does not check it, and its own kernels then fail later.
  if (!backend.getMemoryOffset(info.dataId)) throw new Error("WebAssembly is out of memory");
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor4D;
}

/** The numbers of a tensor, as they are in memory. They are valid until the next tensor is made. */
export function view(tensor: tf.Tensor): Float32Array {
  return (tf.backend() as BackendWasm).typedArrayFromHeap(tensor) as Float32Array;
}

/** Runs the routine that `build` writes, which `name` tells from others. A tensor is passed as its address. */
export function run(name: string, build: () => Routine, values: (number | tf.Tensor)[]): void {
  const backend = tf.backend() as BackendWasm;
  const { wasmMemory, asm } = backend.wasm as unknown as {
    wasmMemory?: WebAssembly.Memory;
    asm: { memory: WebAssembly.Memory };
  };
  const memory = wasmMemory ?? asm.memory; // the build with threads imports its memory, the other one exports it
  let routines = compiled.get(memory);
  if (!routines) compiled.set(memory, (routines = new Map()));
  let routine = routines.get(name);
  if (!routine) {
    const isShared = !(memory.buffer instanceof ArrayBuffer);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(build().module(isShared)), {
      tensors: { memory },
    });
    routine = exports.run as (...values: number[]) => void;
    routines.set(name, routine);
  }
  routine(...values.map((value) => (typeof value === "number" ? value : backend.getMemoryOffset(value.dataId))));
}
