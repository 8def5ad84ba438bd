import type { ShaderModule } from "../../src/kernels/shaderModule.ts";

/** Compiles one shader file; `root` is the folder that includes are resolved against and names are relative to. */
export function compileShader(path: string, root: string): { module: ShaderModule; watch: string[] };
export function declarationOf(module: ShaderModule): string;
