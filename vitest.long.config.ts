/**
 * `npm run test:long`: what takes minutes without a GPU: whole runs, accuracy of the solvers at large orders (writes
 * docs/reports/eigh-accuracy.md), and those tests of `npm test` that try only a part there (test/support/thorough.ts), in full.
 */
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import wgsl from "./tools/wgsl/plugin.mjs";

/** Tests that try more when thorough. */
const thorough = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((path) => `test/${path}`)
  .filter((path) => path.endsWith(".test.ts") && readFileSync(path, "utf8").includes("support/thorough.ts"));

export default defineConfig({
  plugins: [wgsl()],
  test: {
    // Named apart from *.test.ts, which `npm test` runs.
    include: ["test/long/**/*.long.ts", ...thorough],
    env: { EIGENSTEP_THOROUGH: "1" },
    pool: "forks",
    fileParallelism: false,
    isolate: false,
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    setupFiles: ["test/support/setup.ts"],
  },
});
