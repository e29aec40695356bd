import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * TensorFlow.js starts its threads with the source of one function, which uses a variable defined outside it.
 * Minifiers rename that variable, so the function gets one of its own.
 */
const threads: Plugin = {
  name: "threads",
  transform(code, id) {
    if (!id.endsWith("wasm-out/tfjs-backend-wasm-threaded-simd.js")) return null;
    const start = "function(WasmBackendModuleThreadedSimd) {";
    if (!code.includes(start)) throw new Error("TensorFlow.js starts its threads in another way; adapt this plugin");
    return { code: code.replace(start, `${start} var _scriptDir;`), map: null };
  },
};

export default defineConfig({
  base: "./",
  build: { outDir: "../bundle", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es", plugins: () => [threads] },
  test: { include: ["**/*.test.ts"], testTimeout: 600_000 },
});
