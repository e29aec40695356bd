import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  build: { outDir: "../bundle", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es" },
  test: { include: ["test/**/*.test.ts"], testTimeout: 120_000 },
});
