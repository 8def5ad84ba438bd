// Vite and vitest plugin: `import shader from "./x.wgsl"` gives the compiled shader module object (see compile.mjs).
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { compileShader } from "./compile.mjs";

const defaultRoot = fileURLToPath(new URL("../../shaders", import.meta.url));

/**
 * @param {{ root?: string }} [options] `root`: folder that includes are resolved against and names are relative to
 * @returns {import("vite").Plugin}
 */
export default function wgsl({ root = defaultRoot } = {}) {
  return {
    name: "eigenstep:wgsl",
    enforce: "pre",
    load(id) {
      const path = id.split("?")[0];
      if (!path.endsWith(".wgsl")) return null;
      const { module, watch } = compileShader(path.split("/").join(sep), root);
      for (const file of watch) this.addWatchFile(file);
      return { code: `export default ${JSON.stringify(module)};`, map: null, moduleType: "js" };
    },
  };
}
