import { defineConfig } from "vite";

/** One script of `gradients_page.ts`. */
export default defineConfig({
  publicDir: false,
  build: {
    target: "es2022",
    emptyOutDir: true,
    lib: { entry: "test/gradients_page.ts", formats: ["es"], fileName: () => "gradients_page.js" },
  },
});
