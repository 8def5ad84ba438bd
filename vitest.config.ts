import { defineConfig } from "vitest/config";
import wgsl from "./tools/wgsl/plugin.mjs";

// One GPU device per process; much of a software adapter's work, compiling pipelines, is done by one thread.
export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ["test/**/*.test.ts"],
    // In Firefox, by `npm run test:firefox`.
    exclude: ["test/firefox/**"],
    pool: "forks",
    maxWorkers: 2,
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ["test/support/setup.ts"],
  },
});
