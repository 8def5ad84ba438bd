// The table of registers, spills and occupancy in docs/kernels.md, and its check: no variant spills or has scratch memory, and those of the
// default table leave room for eight waves per SIMD.
//
//   node tools/lowerKernels.mjs DIR
//   a driver's statistics (VK_KHR_pipeline_executable_properties) of each file as DIR/stats.json: {"matmul_register-0": {"VGPRs": 108,
//   "Spilled VGPRs": 0, "Spilled SGPRs": 0, "Scratch size": 0, "LDS size": 0, "Subgroups per SIMD": 14}, ...}
//   node tools/registerTable.mjs DIR
import { readFileSync } from "node:fs";
import { join } from "node:path";

const LEAST_WAVES = 8;

const [dir] = process.argv.slice(2);
if (!dir) {
  console.error("usage: node tools/registerTable.mjs DIR");
  process.exit(2);
}
const read = (name) => JSON.parse(readFileSync(join(dir, name), "utf8"));
const [index, stats] = [read("index.json"), read("stats.json")];

/** What an invocation computes: rows or pixels (of a weight gradient, input channels) by columns or channels. */
function tileOf({ ROWS, PIXELS, QUADS = 1 }, kernel) {
  const height = kernel.includes("weight_grad") ? 4 : (ROWS ?? PIXELS);
  return height === undefined ? "" : `${height} × ${4 * QUADS}`;
}

/** Width of the filter and stride, as far as they are known when compiling. */
function windowOf({ KERNEL_W, STRIDE_W }) {
  return [KERNEL_W ?? "", STRIDE_W === undefined || STRIDE_W === 1 ? "" : `/${STRIDE_W}`].join("");
}

const groups = new Map();
const faults = [];
for (const [file, { kernel, knobs, isDefault, plan }] of Object.entries(index)) {
  const found = stats[file.replace(/\.wgsl$/, "")];
  if (!found) {
    faults.push(`${file}: no statistics`);
    continue;
  }
  const spills = found["Spilled VGPRs"] + found["Spilled SGPRs"];
  const [scratch, waves] = [found["Scratch size"], found["Subgroups per SIMD"]];
  if (spills > 0 || scratch > 0 || (isDefault && waves < LEAST_WAVES)) {
    faults.push(`${file} (${plan}): ${spills} spills, ${scratch} bytes of scratch, ${waves} waves`);
  }
  const name = kernel.split("/").at(-1);
  const numbers = [found.VGPRs, spills, scratch, found["LDS size"], waves];
  const key = [name, tileOf(knobs, name), ...numbers].join(" | ");
  const group = groups.get(key) ?? { name, tile: tileOf(knobs, name), numbers, windows: new Set(), variants: 0 };
  group.windows.add(windowOf(knobs));
  group.variants++;
  groups.set(key, group);
}

console.log(
  "| kernel | tile | filter width/stride | variants | VGPRs | spills | scratch | workgroup memory | waves per SIMD |",
);
console.log("|---|---|---|---|---|---|---|---|---|");
const inOrder = [...groups.values()].sort(
  (a, b) => a.name.localeCompare(b.name) || a.tile.localeCompare(b.tile) || a.numbers[0] - b.numbers[0],
);
for (const { name, tile, windows, variants, numbers } of inOrder) {
  const widths = [...windows].filter(Boolean).sort().join(", ");
  console.log(`| ${[name, tile, widths, variants, ...numbers].join(" | ")} |`);
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
