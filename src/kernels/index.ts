/** Public surface of `eigenstep/kernels`: define a WGSL kernel, compile it, run it. Re-exports only. */
export { ceilDiv, foldGrid, MAX_GRID_DIMENSION } from "./grid.ts";
export {
  type BufferRange,
  bindGroupEntries,
  buildKernel,
  defineKernel,
  type Grid,
  type Kernel,
  type KernelParams,
  type KernelPipeline,
  packParams,
} from "./kernel.ts";
export { library } from "./registry.ts";
export { type HostArray, type KernelRun, runKernel } from "./runKernel.ts";
export type { BindingInfo, FieldInfo, KnobInfo, ShaderModule } from "./shaderModule.ts";
export { type KnobValues, type SpecializedShader, specialize } from "./specialize.ts";
