/** What a solver needs, from its shape alone: known before a device exists, and checked against a device that does. */
import type { AdapterDescription, LimitName } from "../device/adapter.ts";
import { EngineError } from "../errors.ts";
import type { KernelCall, Operand, Target } from "../kernels/call.ts";
import type { BindingInfo } from "../kernels/shaderModule.ts";
import { kernelNeeds } from "./kernelNeeds.ts";
import type { Port, Solver, SolverFamily } from "./solver.ts";
import { packUniforms } from "./uniforms.ts";

export interface Requirements {
  /** Least limits of the device; pass them on as `requiredLimits` of `requestDevice` or as `needs` of `Engine.request`. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>>;
  /** Bytes that a plan keeps on the GPU for itself, status words and parameters included. */
  readonly scratchBytes: number;
  readonly dispatches: number;
  /** Bytes of each buffer that the caller provides. */
  readonly inputBytes: Readonly<Record<string, number>>;
  readonly outputBytes: Readonly<Record<string, number>>;
}

export interface RequirementOptions {
  /** Software adapters get other kernel variants; without this, the larger of both needs. */
  readonly isSoftware?: boolean | undefined;
}

export function targetFor(isSoftware: boolean): Target {
  return { isSoftware, matmulFamily: isSoftware ? "register" : "workgroup" };
}

/** What solving a shape takes; the larger of both needs unless the kind of adapter is given. */
export function familyRequirements<Shape>(
  family: SolverFamily<Shape>,
  shape: Shape,
  { isSoftware }: RequirementOptions,
): Requirements {
  const needs = (software: boolean): Requirements => requirementsOf(family.solver(shape, targetFor(software)));
  if (isSoftware !== undefined) return needs(isSoftware);
  const [gpu, software] = [needs(false), needs(true)];
  return {
    limits: larger(gpu.limits, software.limits),
    scratchBytes: Math.max(gpu.scratchBytes, software.scratchBytes),
    dispatches: Math.max(gpu.dispatches, software.dispatches),
    inputBytes: larger(gpu.inputBytes, software.inputBytes),
    outputBytes: larger(gpu.outputBytes, software.outputBytes),
  };
}

type Amounts = Readonly<Partial<Record<string, number>>>;

function larger<T extends Amounts>(a: T, b: T): T {
  const names = Object.keys({ ...a, ...b });
  return Object.fromEntries(names.map((name) => [name, Math.max(a[name] ?? 0, b[name] ?? 0)])) as T;
}

export function requirementsOf(solver: Solver): Requirements {
  const ports = portsOf(solver);
  const scratch = scratchBytes(solver.calls);
  const largest: Partial<Record<LimitName, number>> = {};
  const raise = (name: LimitName, value: number): void => {
    largest[name] = Math.max(largest[name] ?? 0, value);
  };
  const seen = new Set<string>();
  for (const { kernel, knobs, params } of solver.calls) {
    raise("maxComputeWorkgroupsPerDimension", Math.max(...kernel.grid(params, knobs)));
    const variant = variantKey(kernel.name, knobs);
    if (seen.has(variant)) continue;
    seen.add(variant);
    const needs = kernelNeeds(kernel, knobs);
    raise("maxStorageBuffersPerShaderStage", needs.storageBuffers);
    raise("maxComputeWorkgroupStorageSize", needs.workgroupBytes);
    raise("maxComputeInvocationsPerWorkgroup", needs.invocations);
    raise("maxComputeWorkgroupSizeX", needs.sizeX);
  }
  const all = [...ports.inputs, ...ports.outputs];
  const buffers = [...scratch.values(), ...all.map(({ sizeBytes }) => sizeBytes)];
  raise("maxStorageBufferBindingSize", Math.max(...buffers));
  raise("maxBufferSize", Math.max(...buffers));
  const status = ports.outputs.find(({ name }) => name === "status")?.sizeBytes ?? 0;
  const byName = (list: readonly Port[]) => Object.fromEntries(list.map(({ name, sizeBytes }) => [name, sizeBytes]));
  return {
    limits: largest,
    scratchBytes: [...scratch.values()].reduce(
      (sum, bytes) => sum + bytes,
      status + packUniforms(solver.calls).bytes.byteLength,
    ),
    dispatches: solver.calls.length,
    inputBytes: byName(ports.inputs),
    outputBytes: byName(ports.outputs.filter(({ name }) => name !== "status")),
  };
}

/** A kernel variant as text: equal for equal code. */
export function variantKey(name: string, knobs: Readonly<Record<string, number | boolean>>): string {
  return `${name} ${JSON.stringify(knobs)}`;
}

/** Ports as large as the kernels' views of them: a view as `vec4` takes whole vectors. */
export function portsOf({ inputs, outputs, calls }: Solver): Pick<Solver, "inputs" | "outputs"> {
  const units = new Map<string, number>();
  for (const { kernel, bindings } of calls) {
    for (const [name, operand] of Object.entries(bindings)) {
      if (operand.kind !== "input" && operand.kind !== "output") continue;
      const info = (kernel.shader.bindings as Readonly<Record<string, BindingInfo>>)[name];
      const key = operand.kind + operand.index;
      units.set(key, Math.max(units.get(key) ?? 4, info?.minSizeBytes ?? 4));
    }
  }
  const whole = (kind: string) => (port: Port, index: number) => {
    const unit = units.get(kind + index) ?? 4;
    return { ...port, sizeBytes: Math.ceil(port.sizeBytes / unit) * unit };
  };
  return { inputs: inputs.map(whole("input")), outputs: outputs.map(whole("output")) };
}

/** Bytes of each scratch buffer: the largest use of its name. */
export function scratchBytes(calls: readonly KernelCall[]): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const { bindings } of calls) {
    for (const operand of Object.values<Operand>(bindings)) {
      if (operand.kind !== "scratch") continue;
      bytes.set(operand.name, Math.max(bytes.get(operand.name) ?? 16, 4 * operand.elements));
    }
  }
  return bytes;
}

/**
 * Compares a shape's needs with a device's limits.
 *
 * @throws EngineError LIMIT-DEVICE: which limits, what the device has, what is needed, and the largest matrices that would fit
 */
export function requireLimits<Shape>(
  family: SolverFamily<Shape>,
  shape: Shape,
  needed: Requirements["limits"],
  { limits, isSoftware }: Pick<AdapterDescription, "limits" | "isSoftware">,
): void {
  const short = missing(needed, limits);
  if (short.length === 0) return;
  const list = short.map((name) => `${name} ${needed[name]} (it has ${limits[name]})`).join(", ");
  const fits = (smaller: Shape): boolean =>
    missing(familyRequirements(family, smaller, { isSoftware }).limits, limits).length === 0;
  const sizes = family.shrinkable(shape).map(({ name, size, with: make }) => {
    let [good, bad] = [0, size];
    while (bad - good > 1) {
      const middle = Math.floor((good + bad) / 2);
      if (fits(make(middle))) good = middle;
      else bad = middle;
    }
    return { name, size: good };
  });
  const possible = sizes.filter(({ size }) => size > 0).map(({ name, size }) => `${name} up to ${size}`);
  const advice = possible.length > 0 ? `This device takes ${possible.join(", or ")}` : "No size fits this device";
  throw new EngineError({
    code: "LIMIT-DEVICE",
    message: `Solving ${family.describe(shape)} needs ${list} of the device`,
    fix: `${advice} (the rest unchanged); or request the device with the limits of requirements(shape).`,
    where: short[0] ?? "",
    detail: { needed, limits, missing: short, fits: Object.fromEntries(sizes.map(({ name, size }) => [name, size])) },
  });
}

function missing(needed: Requirements["limits"], limits: Readonly<Record<LimitName, number>>): LimitName[] {
  return (Object.keys(needed) as LimitName[]).filter((name) => (needed[name] ?? 0) > limits[name]);
}
