/** TensorFlow.js' backends: how one is started, and which of them have a graphics card. */

import { backend as currentBackend, ready, setBackend } from "@tensorflow/tfjs-core";
import { getThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { UserError } from "../engine/errors";
import type { Backend } from "./protocol";

/**
 * Starts a backend, and returns its description. `onLost` is called when the graphics card is lost, because
 * computations that wait for it would then wait for ever.
 */
export async function startBackend(backend: Backend, onLost: () => void): Promise<string> {
  if (backend === "wasm") {
    const at = (file: string) => new URL(file, self.location.href).href;
    setWasmPaths({
      "tfjs-backend-wasm.wasm": at(simd), // each browser that reads this page's code has SIMD
      "tfjs-backend-wasm-simd.wasm": at(simd),
      "tfjs-backend-wasm-threaded-simd.wasm": at(threaded),
    });
  } else if (backend === "webgl") {
    await import("@tensorflow/tfjs-backend-webgl");
  } else if (backend === "webgpu") {
    await import("@tensorflow/tfjs-backend-webgpu");
  } else {
    await import("@tensorflow/tfjs-backend-cpu");
  }
  let isStarted = false;
  try {
    isStarted = await setBackend(backend);
    await ready();
  } catch {
    isStarted = false;
  }
  if (!isStarted) throw new UserError(`this browser cannot compute with ${backend}; choose another under Computed by`);
  const { gpgpu, device } = currentBackend() as {
    gpgpu?: { gl: WebGLRenderingContext };
    device?: { lost: Promise<unknown> };
  };
  gpgpu?.gl.canvas.addEventListener("webglcontextlost", onLost);
  void device?.lost.then(onLost);
  if (backend !== "wasm") return backend;
  const threads = self.crossOriginIsolated ? getThreadsCount() : 1;
  return threads > 1 ? `wasm, ${threads} threads` : "wasm";
}
