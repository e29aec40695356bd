/** TensorFlow.js' backends, as files of this page. */

import { backend, ready, setBackend } from "@tensorflow/tfjs-core";
import { getThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { Refused } from "../engine/refused";
import type { Backend } from "./protocol";

/**
 * Starts a backend, and says what it is. `onLost` hears of a graphics card that goes: what waits for it then
 * would wait for ever.
 */
export async function start(wanted: Backend, onLost: () => void): Promise<string> {
  if (wanted === "wasm") {
    const at = (file: string) => new URL(file, self.location.href).href;
    setWasmPaths({
      "tfjs-backend-wasm.wasm": at(plain),
      "tfjs-backend-wasm-simd.wasm": at(simd),
      "tfjs-backend-wasm-threaded-simd.wasm": at(threaded),
    });
  } else if (wanted === "webgl") {
    await import("@tensorflow/tfjs-backend-webgl");
  } else if (wanted === "webgpu") {
    await import("@tensorflow/tfjs-backend-webgpu");
  } else {
    await import("@tensorflow/tfjs-backend-cpu");
  }
  let started = false;
  try {
    started = await setBackend(wanted);
    await ready();
  } catch {
    started = false;
  }
  if (!started) throw new Refused(`this browser has no ${wanted} for us; choose another way to compute`);
  const { gpgpu, device } = backend() as {
    gpgpu?: { gl: WebGLRenderingContext };
    device?: { lost: Promise<unknown> };
  };
  gpgpu?.gl.canvas.addEventListener("webglcontextlost", onLost);
  void device?.lost.then(onLost);
  if (wanted !== "wasm") return wanted;
  const threads = self.crossOriginIsolated ? getThreadsCount() : 1;
  return threads > 1 ? `wasm, ${threads} threads` : "wasm";
}
