/** Shaders that exist for tests only (test/kernels/shaders), compiled like those of the library. */
import { fileURLToPath } from "node:url";
import { defineKernel, type Grid, type Kernel, type KernelParams } from "../../src/kernels/kernel.ts";
import type { ShaderModule } from "../../src/kernels/shaderModule.ts";
import { compileShader } from "../../tools/wgsl/compile.mjs";

export const SHADERS = fileURLToPath(new URL("../../shaders", import.meta.url));

export function testShader(name: string): ShaderModule {
  return compileShader(fileURLToPath(new URL(`shaders/${name}.wgsl`, import.meta.url)), SHADERS).module;
}

export function testKernel(name: string, grid: (params: KernelParams) => Grid): Kernel {
  return defineKernel(testShader(name), grid);
}
