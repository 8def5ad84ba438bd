/** What an application pays that takes the solvers alone: one minified bundle, measured as it travels, compressed. */
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { describe, expect, it } from "vitest";
import wgsl from "../../tools/wgsl/plugin.mjs";

const ENTRY = "virtual:application";
/** Bytes, compressed. */
const BUDGET = 25 * 1024;

/** The code of a minified bundle of an application with this source. */
async function bundle(source: string): Promise<string> {
  const result = (await build({
    root: resolve("."),
    configFile: false,
    logLevel: "silent",
    plugins: [
      wgsl(),
      {
        name: "application",
        resolveId: (id) => (id === ENTRY ? id : null),
        load: (id) => (id === ENTRY ? source : null),
      },
    ],
    build: {
      target: "es2022",
      write: false,
      minify: true,
      // With an entry's exports kept, as in an application that uses them.
      rolldownOptions: { input: ENTRY, preserveEntrySignatures: "strict", output: { format: "es" } },
      modulePreload: { polyfill: false },
    },
  })) as Rolldown.RolldownOutput;
  return result.output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("\n");
}

describe("a bundle of eigenstep/linalg", () => {
  const library = JSON.stringify(join(resolve("."), "src", "linalg", "index.ts"));

  it.each([
    ["plan, requirements, Engine", "jacobi_eigh"],
    ["planSvd, svdRequirements, Engine", "svd_jacobi"],
  ])(`of %s has at most ${BUDGET} bytes compressed, and no kernel but the solver's`, async (names, solver) => {
    const code = await bundle(`export { ${names} } from ${library};`);
    const bytes = gzipSync(code, { level: 9 }).byteLength;
    console.log(`eigenstep/linalg, ${names}: ${code.length} bytes, ${bytes} compressed`);
    const hasKernel = Object.fromEntries(
      ["jacobi_eigh", "svd_jacobi", "sgd", "gather_crop"].map((name) => [name, code.includes(`fn ${name}(`)]),
    );
    expect(hasKernel).toEqual({
      jacobi_eigh: false,
      svd_jacobi: false,
      sgd: false,
      gather_crop: false,
      [solver]: true,
    });
    expect(bytes).toBeLessThanOrEqual(BUDGET);
  });
});
