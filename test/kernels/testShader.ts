/** Shaders that exist for tests only (test/kernels/shaders), compiled like those of the library. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineKernel, type Grid, type Kernel, type KernelParams } from "../../src/kernels/kernel.ts";
import type { ShaderModule } from "../../src/kernels/shaderModule.ts";
import { compileShader } from "../../tools/wgsl/compile.mjs";

/** Root of the library's shaders. */
export const SHADERS = fileURLToPath(new URL("../../shaders", import.meta.url));
const TEST_SHADERS = fileURLToPath(new URL("shaders", import.meta.url));

/** @param root where includes are looked for; file names in messages are relative to it */
export function testShader(name: string, root: "library" | "tests" = "library"): ShaderModule {
  return compileShader(join(TEST_SHADERS, `${name}.wgsl`), root === "library" ? SHADERS : TEST_SHADERS).module;
}

export function testKernel(name: string, grid: (params: KernelParams) => Grid): Kernel {
  return defineKernel(testShader(name), grid);
}
