// Writes the WGSL that a GPU compiles for every matrix product and convolution: what docs/kernels.md says about registers, spills and
// occupancy was read off these files, by a driver's compiler and tools/registerTable.mjs.
//
//   node tools/lowerKernels.mjs DIR          variants of discrete GPUs; the kernels of software adapters with their default knobs
//   node tools/lowerKernels.mjs DIR --all    and every other kernel of the library, likewise
//
// Each file is one variant, lowered as the engine does it; DIR/index.json says which knobs it has, which plan asked for it, and whether the
// default table gave it.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import wgsl from "./wgsl/plugin.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [out, flag] = process.argv.slice(2);
if (!out || out.startsWith("--")) {
  console.error("usage: node tools/lowerKernels.mjs DIR [--all]");
  process.exit(2);
}

const server = await createServer({
  root,
  configFile: false,
  plugins: [wgsl()],
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
  appType: "custom",
  optimizeDeps: { noDiscovery: true, include: [] },
  logLevel: "error",
});
try {
  const load = (path) => server.ssrLoadModule(path);
  const { specialize } = await load("/src/kernels/specialize.ts");
  const { library } = await load("/src/kernels/registry.ts");
  const { variantsOfGpus } = await load("/tools/gpuVariants.ts");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const index = {};
  const codes = new Set();
  const write = (kernel, knobs, plan, isDefault) => {
    const { code } = specialize(kernel.shader, knobs);
    if (codes.has(code)) return;
    codes.add(code);
    const { entry } = kernel.shader;
    const number = Object.keys(index).filter((name) => name.startsWith(`${entry}-`)).length;
    const file = `${entry}-${number}.wgsl`;
    writeFileSync(join(out, file), code);
    index[file] = { kernel: kernel.name, knobs: kernel.knobs(knobs), plan, isDefault };
  };
  for (const { kernel, knobs, plan, isDefault } of variantsOfGpus()) write(kernel, knobs, plan, isDefault);
  const done = new Set(Object.values(index).map(({ kernel }) => kernel));
  for (const kernel of Object.values(library)) {
    const isProduct = /^(?:matmul|conv)\//.test(kernel.name);
    if (!done.has(kernel.name) && (isProduct || flag === "--all")) write(kernel, {}, "defaults", false);
  }
  writeFileSync(join(out, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
  console.log(`${Object.keys(index).length} variants in ${out}`);
} finally {
  await server.close();
}
