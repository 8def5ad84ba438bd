// Writes x.d.wgsl.ts beside every kernel; with --check fails when a committed one is stale.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compileShader, declarationOf } from "./compile.mjs";

const root = fileURLToPath(new URL("../../shaders", import.meta.url));
const check = process.argv.includes("--check");
const kernels = readdirSync(root, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".wgsl") && !file.startsWith("lib"))
  .sort();
const stale = [];
const wanted = new Set();
for (const file of kernels) {
  const path = join(root, file);
  const target = path.replace(/\.wgsl$/, ".d.wgsl.ts");
  wanted.add(relative(root, target));
  const text = declarationOf(compileShader(path, root).module);
  if (existsSync(target) && readFileSync(target, "utf8") === text) continue;
  stale.push(relative(root, target));
  if (!check) writeFileSync(target, text);
}
for (const file of readdirSync(root, { recursive: true }).map(String)) {
  if (!file.endsWith(".d.wgsl.ts") || wanted.has(file)) continue;
  stale.push(file);
  if (!check) rmSync(join(root, file));
}
if (check && stale.length) {
  console.error(`gen: ${stale.length} stale declaration file(s): ${stale.join(", ")}\nRun: npm run gen`);
  process.exit(1);
}
console.log(`gen: ${kernels.length} kernels, ${stale.length} declaration file(s) ${check ? "stale" : "written"}`);
