// The committed x.d.wgsl.ts files: what each should contain, and which are stale.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compileShader, declarationOf } from "./compile.mjs";

/** Kernel files below the shader root (`lib` holds includes), as relative paths. */
export function kernelFiles(root) {
  return readdirSync(root, { recursive: true })
    .map((file) => String(file).replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".wgsl") && !file.startsWith("lib/"))
    .sort();
}

/**
 * Every declaration file that differs from what its shader says.
 * @returns {{ file: string, text: string | undefined }[]} path relative to the root; `text` undefined when the file should not exist
 */
export function staleDeclarations(root) {
  const stale = [];
  const wanted = new Set();
  for (const kernel of kernelFiles(root)) {
    const path = join(root, kernel);
    const file = kernel.replace(/\.wgsl$/, ".d.wgsl.ts");
    wanted.add(file);
    const text = declarationOf(compileShader(path, root).module);
    const target = join(root, file);
    if (!existsSync(target) || readFileSync(target, "utf8") !== text) stale.push({ file, text });
  }
  for (const entry of readdirSync(root, { recursive: true })) {
    const file = String(entry).replaceAll("\\", "/");
    if (file.endsWith(".d.wgsl.ts") && !wanted.has(file)) stale.push({ file, text: undefined });
  }
  return stale;
}
