/**
 * A plan on a device: its buffers, pipelines and bind groups, made once. Afterwards a program is only encoded: no object is created
 * and nothing is written from the host.
 */
import type { BufferRequest, Engine } from "../device/engine.ts";
import { withErrorScopes } from "../device/errorScopes.ts";
import { EngineError } from "../errors.ts";
import { bindGroupEntries, buildKernel, type KernelPipeline } from "../kernels/kernel.ts";
import { packUniforms } from "../linalg/uniforms.ts";
import { type Placement, type Plan, planBuffers } from "./plan.ts";

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number, number];
  readonly programs: readonly string[];
}

/** A program ready to be encoded any number of times. */
export type CommandList = readonly Command[];

export class CompiledPlan {
  readonly plan: Plan;
  readonly #engine: Engine;
  readonly #commands: readonly Command[];
  readonly #persistent: ReadonlyMap<string, GPUBuffer>;
  readonly #owned: readonly GPUBuffer[];
  #isDestroyed = false;

  private constructor(
    engine: Engine,
    plan: Plan,
    commands: readonly Command[],
    persistent: ReadonlyMap<string, GPUBuffer>,
    owned: readonly GPUBuffer[],
  ) {
    this.#engine = engine;
    this.plan = plan;
    this.#commands = commands;
    this.#persistent = persistent;
    this.#owned = owned;
  }

  /**
   * Creates buffers, pipelines and bind groups.
   *
   * @param external persistent buffers of the caller (or of another plan), by name; not destroyed with this plan
   * @throws EngineError LIMIT-BUFFER, LIMIT-MEMORY, KERNEL-COMPILE, GRAPH-EXTERNAL-SIZE, LIMIT-BINDING
   */
  static async compile(
    engine: Engine,
    plan: Plan,
    external: Readonly<Record<string, GPUBuffer>> = {},
  ): Promise<CompiledPlan> {
    requireBindable(plan, engine.adapter.limits.maxStorageBufferBindingSize);
    const uniforms = packUniforms(plan.calls);
    const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const requests = planBuffers(plan)
      .filter(({ label, sizeBytes }) => !isExternal(external, label, sizeBytes))
      .map(({ label, sizeBytes }): BufferRequest => {
        const usage = label === "uniforms" ? GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST : storage;
        return { label, sizeBytes, usage };
      });
    // Compile first: a kernel that fails leaves no buffer behind.
    const pipelines = await buildAll(engine, plan);
    const buffers = await engine.createBuffers(requests);
    try {
      const memory = new Map<string, GPUBuffer>(Object.entries(external));
      requests.forEach(({ label }, index) => {
        const buffer = buffers[index];
        if (buffer) memory.set(label, buffer);
      });
      const uniform = required(memory, "uniforms");
      const commands = await engine.guard(
        withErrorScopes(engine.device, `${plan.calls.length} bind groups`, () => {
          if (uniforms.bytes.byteLength > 0) engine.write(uniform, 0, uniforms.bytes);
          const groups = new Map<string, GPUBindGroup>();
          return plan.calls.map((call, index): Command => {
            const built = pipelines[index];
            if (!built) throw new Error("unreachable: one pipeline per call");
            const { offset, size } = uniforms.ranges[index] ?? { offset: 0, size: 0 };
            // A solver's rounds repeat in every sweep: calls alike in kernel, buffers and parameters share a bind group.
            const key = `${call.kernel.name} ${JSON.stringify([call.knobs, call.bindings])} ${offset}`;
            let group = groups.get(key);
            if (!group) {
              const ranges = Object.fromEntries(
                Object.entries(call.bindings).map(([name, placement]) => [name, bufferRange(memory, placement)]),
              );
              engine.count("bindGroups");
              group = engine.device.createBindGroup({
                label: call.node,
                layout: built.layout,
                entries: bindGroupEntries(call.kernel, ranges, {
                  buffer: uniform,
                  offsetBytes: offset,
                  sizeBytes: size,
                }),
              });
              groups.set(key, group);
            }
            return { pipeline: built.pipeline, group, grid: call.grid, programs: call.programs };
          });
        }),
      );
      const persistent = new Map(plan.persistent.map(({ name }) => [name, required(memory, name)]));
      return new CompiledPlan(engine, plan, commands, persistent, buffers);
    } catch (error) {
      engine.destroyBuffers(buffers);
      throw error;
    }
  }

  /** A persistent buffer: input, parameter, state or output. @throws EngineError GRAPH-NO-BUFFER */
  buffer(name: string): GPUBuffer {
    const buffer = this.#persistent.get(name);
    if (buffer) return buffer;
    throw new EngineError({
      code: "GRAPH-NO-BUFFER",
      message: `The plan has no persistent buffer ${name}; it has ${[...this.#persistent.keys()].join(", ")}`,
      fix: "Name an input, state or output of the graph.",
      where: name,
    });
  }

  /** The dispatches of the union of some programs, in plan order. */
  program(...names: readonly string[]): CommandList {
    return this.#commands.filter((command) => command.programs.some((name) => names.includes(name)));
  }

  /**
   * Records a program into the caller's pass. No submit, no wait, no allocation on the GPU.
   *
   * @throws EngineError GRAPH-DESTROYED after destroy()
   */
  encode(pass: GPUComputePassEncoder, program: CommandList): void {
    if (this.#isDestroyed) {
      throw new EngineError({
        code: "GRAPH-DESTROYED",
        message: "The plan was destroyed; its buffers are gone",
        fix: "Compile it again, or destroy it later.",
      });
    }
    let pipeline: GPUComputePipeline | undefined;
    for (const command of program) {
      if (command.pipeline !== pipeline) {
        pipeline = command.pipeline;
        pass.setPipeline(pipeline);
      }
      pass.setBindGroup(0, command.group);
      pass.dispatchWorkgroups(...command.grid);
    }
  }

  /** Runs programs once, for set-up and tests: one submit, no wait. */
  run(...names: readonly string[]): void {
    this.#engine.assertUsable();
    const encoder = this.#engine.device.createCommandEncoder({ label: names.join("+") });
    const pass = encoder.beginComputePass({ label: names.join("+") });
    this.encode(pass, this.program(...names));
    pass.end();
    this.#engine.submit(encoder.finish());
  }

  /** Copies host data into a persistent buffer; for set-up. */
  write(name: string, data: ArrayBufferView<ArrayBuffer>, offsetBytes = 0): void {
    this.#engine.write(this.buffer(name), offsetBytes, data);
  }

  /** Frees the buffers this plan created. Idempotent. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#engine.destroyBuffers(this.#owned);
  }
}

/** The pipeline of every call. Variants that occur more than once, as those of solvers do thousands of times, are lowered once. */
function buildAll(engine: Engine, { calls }: Plan): Promise<KernelPipeline[]> {
  const variants = new Map<string, Promise<KernelPipeline>>();
  return Promise.all(
    calls.map(({ kernel, knobs }) => {
      const key = `${kernel.name} ${JSON.stringify(kernel.knobs(knobs))}`;
      const known = variants.get(key) ?? buildKernel(engine, kernel, knobs);
      variants.set(key, known);
      return known;
    }),
  );
}

/** @throws EngineError LIMIT-BINDING when a tensor is larger than the device binds */
function requireBindable(plan: Plan, maxStorageBufferBindingSize: number): void {
  for (const call of plan.calls) {
    for (const [name, placement] of Object.entries(call.bindings)) {
      if (placement === "unused" || placement.sizeBytes <= maxStorageBufferBindingSize) continue;
      const { sizeBytes } = placement;
      throw new EngineError({
        code: "LIMIT-BINDING",
        message: `${call.node}: ${name} takes ${sizeBytes} bytes; the device binds at most ${maxStorageBufferBindingSize}`,
        fix: "Use a smaller batch or model, or a device with larger bindings.",
        where: call.node,
        detail: { sizeBytes, maxStorageBufferBindingSize },
      });
    }
  }
}

function isExternal(external: Readonly<Record<string, GPUBuffer>>, name: string, sizeBytes: number): boolean {
  const buffer = external[name];
  if (!buffer) return false;
  if (buffer.size >= sizeBytes) return true;
  throw new EngineError({
    code: "GRAPH-EXTERNAL-SIZE",
    message: `The buffer given for ${name} has ${buffer.size} bytes; the plan needs ${sizeBytes}`,
    fix: "Pass a larger buffer.",
    where: name,
  });
}

function required(memory: ReadonlyMap<string, GPUBuffer>, name: string): GPUBuffer {
  const buffer = memory.get(name);
  if (!buffer) throw new Error(`unreachable: no memory called ${name}`);
  return buffer;
}

function bufferRange(memory: ReadonlyMap<string, GPUBuffer>, placement: Placement | "unused") {
  if (placement === "unused") return { buffer: required(memory, "unused") };
  return {
    buffer: required(memory, placement.memory),
    offsetBytes: placement.offsetBytes,
    sizeBytes: placement.sizeBytes,
  };
}
