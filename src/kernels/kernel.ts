/**
 * A kernel: a shader file, its entry point and its dispatch grid. `build` lowers and compiles it for an engine, `bind` names buffers.
 * Binding numbers come from reflection; none is written in TypeScript.
 */
import type { Engine } from "../device/engine.ts";
import { withErrorScopes } from "../device/errorScopes.ts";
import { EngineError } from "../errors.ts";
import type { BindingInfo, FieldInfo, ShaderModule } from "./shaderModule.ts";
import { type KnobValues, type SpecializedShader, specialize } from "./specialize.ts";

export type Grid = readonly [x: number, y: number, z: number];
export type KernelParams = Readonly<Record<string, number>>;

/** A buffer range bound to a kernel. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  /** Multiple of 256; 0 unless given. */
  readonly offsetBytes?: number;
  readonly sizeBytes?: number;
}

export interface KernelDefinition {
  readonly shader: ShaderModule;
  /** Workgroups for given parameters and knobs (all knobs, defaults filled in). */
  readonly grid: (params: KernelParams, knobs: Readonly<Record<string, number>>) => Grid;
}

export interface Kernel<Binding extends string = string, Param extends string = string, Knob extends string = string> {
  readonly name: string;
  readonly shader: ShaderModule;
  /** Types only: carries the names for checking. */
  readonly names?: { readonly binding: Binding; readonly param: Param; readonly knob: Knob };
  grid(params: KernelParams, knobs: KnobValues): Grid;
  /** Knob values with defaults filled in. */
  knobs(values: KnobValues): Readonly<Record<string, number | boolean>>;
}

/**
 * Defines a kernel from a `.wgsl` import.
 *
 * @param shader the imported file
 * @param grid   number of workgroups in x, y, z for given parameters and knobs
 */
// Bundlers may drop kernels that nothing uses: an application of the solvers alone does not ship those of training.
/* @__NO_SIDE_EFFECTS__ */
export function defineKernel<B extends object, P extends object, K extends object>(
  shader: ShaderModule<B, P, K>,
  grid: (params: Readonly<Record<keyof P & string, number>>, knobs: Readonly<Record<keyof K & string, number>>) => Grid,
): Kernel<keyof B & string, keyof P & string, keyof K & string> {
  const module = shader as unknown as ShaderModule;
  const knobs = (values: KnobValues) => {
    const all: Record<string, number | boolean> = {};
    for (const [name, knob] of Object.entries(module.knobs)) all[name] = values[name] ?? knob.default;
    return all;
  };
  return {
    name: module.name,
    shader: module,
    knobs,
    grid: (params, values) =>
      grid(
        params as Readonly<Record<keyof P & string, number>>,
        knobs(values) as unknown as Readonly<Record<keyof K & string, number>>,
      ),
  };
}

/** A compiled kernel variant on one device. */
export interface KernelPipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Bytes of the kernel's uniform for given parameter values. */
export function packParams(kernel: Kernel, values: KernelParams): ArrayBuffer {
  const info = kernel.shader.params;
  const bytes = new ArrayBuffer(info?.sizeBytes ?? 0);
  const view = new DataView(bytes);
  const fields: Readonly<Record<string, FieldInfo>> = info?.fields ?? {};
  for (const name of Object.keys(values)) {
    if (!(name in fields)) throw parameterError(kernel, name, "is not a field of its Params");
  }
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name];
    if (value === undefined) throw parameterError(kernel, name, "is missing");
    if (field.type === "f32") view.setFloat32(field.offset, value, true);
    else if (!Number.isInteger(value) || value < (field.type === "u32" ? 0 : -0x80000000) || value > 0xffffffff) {
      throw parameterError(kernel, name, `is ${value}, not a 32-bit ${field.type}`);
    } else if (field.type === "u32") view.setUint32(field.offset, value, true);
    else view.setInt32(field.offset, value, true);
  }
  return bytes;
}

function parameterError(kernel: Kernel, name: string, why: string): EngineError {
  return new EngineError({
    code: "KERNEL-PARAMS",
    message: `Parameter ${name} of kernel ${kernel.name} ${why}`,
    fix: `Pass exactly ${Object.keys(kernel.shader.params?.fields ?? {}).join(", ")}.`,
    where: kernel.name,
  });
}

/** Bind group entries by name, with the uniform's range first. */
export function bindGroupEntries(
  kernel: Kernel,
  buffers: Readonly<Record<string, BufferRange>>,
  params: BufferRange | undefined,
): GPUBindGroupEntry[] {
  return Object.entries(kernel.shader.bindings as Readonly<Record<string, BindingInfo>>).map(([name, info]) => {
    const range = name === "params" ? params : buffers[name];
    if (!range) {
      throw new EngineError({
        code: "KERNEL-BINDING",
        message: `Kernel ${kernel.name} needs a buffer for ${name}; given: ${Object.keys(buffers).join(", ")}`,
        fix: `Bind ${name}.`,
        where: kernel.name,
      });
    }
    return {
      binding: info.binding,
      resource: {
        buffer: range.buffer,
        offset: range.offsetBytes ?? 0,
        ...(range.sizeBytes === undefined ? {} : { size: range.sizeBytes }),
      },
    };
  });
}

/**
 * Compiles one variant of a kernel; equal final code is compiled once per engine, whatever knobs led to it.
 *
 * @throws EngineError KERNEL-COMPILE with the compiler's message and the shader file and line; KERNEL-KNOB, KERNEL-UNROLL; KERNEL-FEATURE
 *         when the device lacks a feature that the kernel enables
 */
export function buildKernel(
  engine: Engine,
  kernel: Kernel,
  values: KnobValues = {},
  options: { readonly unroll?: boolean } = {},
): Promise<KernelPipeline> {
  const missing = kernel.shader.features.filter((name) => !engine.device.features.has(name as GPUFeatureName));
  if (missing.length > 0) return Promise.reject(featureError(kernel, missing));
  const cache = engine.memo("kernels.pipelines", () => new Map<string, Promise<KernelPipeline>>());
  const specialized = specialize(kernel.shader, values, { unroll: engine.unrollsLoops, ...options });
  // The content is the key; the name only separates entry points and labels.
  const key = `${kernel.name}\n${specialized.code}`;
  let pipeline = cache.get(key);
  if (!pipeline) {
    pipeline = compile(engine, kernel, specialized);
    cache.set(key, pipeline);
    pipeline.catch(() => cache.delete(key));
  }
  return pipeline;
}

function featureError({ name }: Kernel, missing: readonly string[]): EngineError {
  return new EngineError({
    code: "KERNEL-FEATURE",
    message: `Kernel ${name} needs the device feature ${missing.join(", ")}`,
    fix: "Use a device with the feature, or remove kernels.variants from the configuration to let the variants be chosen anew.",
    where: name,
  });
}

async function compile(engine: Engine, kernel: Kernel, { code, origins }: SpecializedShader): Promise<KernelPipeline> {
  const { device } = engine;
  const label = kernel.name;
  let shaderModule: GPUShaderModule | undefined;
  device.pushErrorScope("validation");
  engine.count("shaderModules");
  shaderModule = device.createShaderModule({ label, code });
  const scope = device.popErrorScope();
  const info = await engine.guard(shaderModule.getCompilationInfo());
  const failure = await engine.guard(scope);
  const messages = info.messages.filter((message) => message.type === "error");
  if (messages.length > 0 || failure) {
    const first = messages[0];
    const where = first ? (origins[first.lineNum - 1] ?? label) : label;
    throw new EngineError({
      code: "KERNEL-COMPILE",
      message: `shaders/${where}: ${first?.message ?? failure?.message ?? "compilation failed"}`,
      fix: "Correct the shader; `npm run check` and the kernel tests compile every file.",
      where,
      detail: {
        kernel: kernel.name,
        messages: messages.map((m) => `${origins[m.lineNum - 1] ?? "?"}:${m.linePos}: ${m.message}`),
      },
    });
  }
  // The bind group layout and the pipeline layout.
  engine.count("layouts", 2);
  engine.count("pipelines");
  const { layout, pipelineLayout } = await engine.guard(
    withErrorScopes(device, `layouts of ${label}`, () => {
      const groupLayout = device.createBindGroupLayout({
        label,
        entries: Object.values(kernel.shader.bindings as Readonly<Record<string, BindingInfo>>).map((binding) => ({
          binding: binding.binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: binding.type, minBindingSize: binding.minSizeBytes },
        })),
      });
      const bindGroupLayouts = [groupLayout];
      return { layout: groupLayout, pipelineLayout: device.createPipelineLayout({ label, bindGroupLayouts }) };
    }),
  );
  try {
    const pipeline = await engine.guard(
      device.createComputePipelineAsync({
        label,
        layout: pipelineLayout,
        compute: { module: shaderModule, entryPoint: kernel.shader.entry },
      }),
    );
    return { pipeline, layout };
  } catch (cause) {
    engine.assertUsable();
    throw new EngineError({
      code: "KERNEL-COMPILE",
      message: `Pipeline of ${label} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: "Check the workgroup size and workgroup memory against the device's limits.",
      where: label,
      cause,
    });
  }
}
