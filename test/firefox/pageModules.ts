/** Lets test files written for Node run in a page: the modules through which they reach Node are replaced. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { compileShader } from "../../tools/wgsl/compile.mjs";

const tests = fileURLToPath(new URL("..", import.meta.url));
const DEVICE = join(tests, "support", "device.ts");
const PAGE_DEVICE = join(tests, "firefox", "page", "device.ts");
const TEST_SHADER = join(tests, "kernels", "testShader.ts");
const VIRTUAL_SHADERS = "\0eigenstep:test-shaders";

export function pageModules(): Plugin {
  return {
    name: "eigenstep:page-modules",
    enforce: "pre",
    async resolveId(source, importer, options) {
      if (!/\/(device|testShader)\.ts$/.test(source)) return null;
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      if (resolved?.id === DEVICE) return PAGE_DEVICE;
      return resolved?.id === TEST_SHADER ? VIRTUAL_SHADERS : null;
    },
    load: (id) => (id === VIRTUAL_SHADERS ? testShaders() : null),
  };
}

/** The same exports as test/kernels/testShader.ts, with every test shader compiled now instead of on demand. */
function testShaders(): string {
  const folder = join(tests, "kernels", "shaders");
  const roots = { library: join(tests, "..", "shaders"), tests: folder };
  const modules: Record<string, unknown> = {};
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".wgsl"))) {
    for (const [root, path] of Object.entries(roots)) {
      try {
        modules[`${root}/${file}`] = compileShader(join(folder, file), path).module;
      } catch {
        // Its includes lie below the other root.
      }
    }
  }
  return `
    import { defineKernel } from "/src/kernels/kernel.ts";
    const modules = ${JSON.stringify(modules)};
    export const testShader = (name, root = "library") => modules[root + "/" + name + ".wgsl"];
    export const testKernel = (name, grid) => defineKernel(testShader(name), grid);
  `;
}
