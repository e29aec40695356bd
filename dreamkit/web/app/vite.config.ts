import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * TensorFlow.js starts its threads with the source of one function, which names a variable that stands beside
 * it. Where names are made shorter that variable is not there, so the function gets one of its own.
 */
const threads: Plugin = {
  name: "threads",
  transform(code, id) {
    if (!id.endsWith("wasm-out/tfjs-backend-wasm-threaded-simd.js")) return null;
    const begins = "function(WasmBackendModuleThreadedSimd) {";
    if (!code.includes(begins)) throw new Error("TensorFlow.js' threads begin in another way now");
    return { code: code.replace(begins, `${begins} var _scriptDir;`), map: null };
  },
};

export default defineConfig({
  base: "./",
  build: { outDir: "../bundle", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es", plugins: () => [threads] },
  test: { include: ["{test,bench}/**/*.test.ts"], testTimeout: 600_000 },
});
