/** `npm run test:long`: accuracy of the solvers at orders that take minutes without a GPU. Writes docs/reports/eigh-accuracy.md. */
import { defineConfig } from "vitest/config";
import wgsl from "./tools/wgsl/plugin.mjs";

export default defineConfig({
  plugins: [wgsl()],
  test: {
    // Named apart from *.test.ts, which `npm test` runs.
    include: ["test/long/**/*.long.ts"],
    pool: "forks",
    fileParallelism: false,
    isolate: false,
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    setupFiles: ["test/support/setup.ts"],
  },
});
