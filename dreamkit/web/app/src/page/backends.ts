/** TensorFlow.js' backends, as files of this page. */

import { setBackend, ready } from "@tensorflow/tfjs-core";
import { getThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { Refused } from "../engine/refused";
import type { Backend } from "./protocol";

/** Starts a backend, and says what it is. */
export async function start(backend: Backend): Promise<string> {
  if (backend === "wasm") {
    const at = (file: string) => new URL(file, self.location.href).href;
    setWasmPaths({
      "tfjs-backend-wasm.wasm": at(plain),
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
  let started = false;
  try {
    started = await setBackend(backend);
    await ready();
  } catch {
    started = false;
  }
  if (!started) throw new Refused(`this browser has no ${backend} for us; choose another way to compute`);
  if (backend !== "wasm") return backend;
  const threads = self.crossOriginIsolated ? getThreadsCount() : 1;
  return threads > 1 ? `wasm, ${threads} threads` : "wasm";
}
