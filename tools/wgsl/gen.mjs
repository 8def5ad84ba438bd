// Writes x.d.wgsl.ts beside every kernel; with --check fails when a committed one is stale.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kernelFiles, staleDeclarations } from "./declarations.mjs";

const root = fileURLToPath(new URL("../../shaders", import.meta.url));
const check = process.argv.includes("--check");
const stale = staleDeclarations(root);
if (check && stale.length) {
  console.error(
    `gen: ${stale.length} stale declaration file(s): ${stale.map(({ file }) => file).join(", ")}\nRun: npm run gen`,
  );
  process.exit(1);
}
for (const { file, text } of stale) {
  if (text === undefined) rmSync(join(root, file));
  else writeFileSync(join(root, file), text);
}
console.log(`gen: ${kernelFiles(root).length} kernels, ${stale.length} declaration file(s) written`);
