/** What a kernel variant needs of a device, from its code alone: for `requirements`, which speaks before there is a device. */
import { type Constant, evaluateConstant, evaluateInteger } from "../kernels/constantExpression.ts";
import type { Kernel } from "../kernels/kernel.ts";
import type { BindingInfo } from "../kernels/shaderModule.ts";
import { type KnobValues, specialize } from "../kernels/specialize.ts";

export interface KernelNeeds {
  readonly storageBuffers: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly sizeX: number;
}

const CONSTANT = /^\s*const\s+(\w+)\s*(?::\s*\w+)?\s*=\s*([^;]+);/gm;
const WORKGROUP = /\bvar\s*<workgroup>\s+\w+\s*:\s*([^;]+);/g;
const SIZE = /\bworkgroup_size\(([^)]*)\)/;

export function kernelNeeds(kernel: Kernel, knobs: KnobValues): KernelNeeds {
  const { code } = specialize(kernel.shader, knobs, { unroll: false });
  const constants = new Map<string, Constant>();
  for (const [, name = "", text = ""] of code.matchAll(CONSTANT)) {
    const value = evaluateConstant(text, constants);
    if (value !== undefined) constants.set(name, value);
  }
  const sizes = (SIZE.exec(code)?.[1] ?? "1")
    .split(",")
    .filter((text) => text.trim() !== "")
    .map((text) => evaluateInteger(text.trim(), constants) ?? 1);
  const bindings = Object.values(kernel.shader.bindings as Readonly<Record<string, BindingInfo>>);
  return {
    storageBuffers: bindings.filter(({ type }) => type !== "uniform").length,
    // Each variable starts at a multiple of 16 (WebGPU, "validating GPUProgrammableStage").
    workgroupBytes: [...code.matchAll(WORKGROUP)].reduce(
      (sum, [, type = ""]) => sum + Math.ceil(sizeOf(type, constants) / 16) * 16,
      0,
    ),
    invocations: sizes.reduce((product, size) => product * size, 1),
    sizeX: sizes[0] ?? 1,
  };
}

/** Bytes of scalars, vectors and arrays of them, which is all that the kernels keep in workgroup memory. */
function sizeOf(type: string, constants: ReadonlyMap<string, Constant>): number {
  const text = type.trim();
  const array = /^array<(.+),([^,>]+)>$/.exec(text);
  if (array) {
    const element = sizeOf(array[1] ?? "", constants);
    // The stride of vec3 is that of vec4.
    return (element === 12 ? 16 : element) * (evaluateInteger((array[2] ?? "").trim(), constants) ?? 0);
  }
  return 4 * Number(/^vec([234])/.exec(text)?.[1] ?? 1);
}
