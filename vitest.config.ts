import { defineConfig } from "vitest/config";
import wgsl from "./tools/wgsl/plugin.mjs";

// One GPU device per process, and only two cores on small machines: GPU test files run one after another.
export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ["test/**/*.test.ts"],
    // In Firefox, by `npm run test:firefox`.
    exclude: ["test/firefox/**"],
    pool: "forks",
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ["test/support/setup.ts"],
  },
});
