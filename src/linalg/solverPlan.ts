/**
 * A solver on a device: scratch, pipelines and the bind groups that touch nothing else, made once. Encoding it records dispatches into
 * the caller's encoder or pass, on the caller's buffers; nothing is submitted and nothing waits.
 */
import type { Engine } from "../device/engine.ts";
import { withErrorScopes } from "../device/errorScopes.ts";
import { EngineError } from "../errors.ts";
import type { KernelCall, Operand } from "../kernels/call.ts";
import { type BufferRange, bindGroupEntries, buildKernel, type Grid, type KernelPipeline } from "../kernels/kernel.ts";
import { type PlanBuffer, type PortRange, portRanges } from "./portChecks.ts";
import {
  portsOf,
  type Requirements,
  requireLimits,
  requirementsOf,
  scratchBytes,
  targetFor,
  variantKey,
} from "./requirements.ts";
import type { Port, Solver, SolverFamily } from "./solver.ts";
import { decodeStatus, type MatrixStatus } from "./status.ts";
import { packUniforms } from "./uniforms.ts";

/** What a bind group is made of; equal ones are one. */
interface Group {
  readonly call: KernelCall;
  readonly layout: GPUBindGroupLayout;
  readonly uniform: BufferRange;
  /** Present when it touches none of the caller's buffers. */
  fixed: GPUBindGroup | undefined;
}

interface Command {
  readonly pipeline: GPUComputePipeline;
  /** Index into the groups. */
  readonly group: number;
  readonly grid: Grid;
}

/** Bind groups for some buffers of the caller. */
interface Binding {
  readonly ranges: readonly PortRange[];
  readonly groups: readonly GPUBindGroup[];
}

/** Sets of buffers whose bind groups are kept: enough for an application that takes turns with a few. */
const REMEMBERED = 4;

/** @typeParam Buffers names of the caller's buffers */
export class SolverPlan<Buffers extends object> {
  readonly requirements: Requirements;
  readonly #label: string;
  readonly #engine: Engine;
  readonly #ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] };
  readonly #batch: number;
  readonly #commands: readonly Command[];
  readonly #groups: readonly Group[];
  readonly #memory: ReadonlyMap<string, GPUBuffer>;
  #bindings: readonly Binding[] = [];
  #isDestroyed = false;

  private constructor(
    engine: Engine,
    solver: Solver,
    requirements: Requirements,
    made: Pick<Made, "commands" | "groups" | "memory">,
  ) {
    this.#engine = engine;
    this.#label = solver.label;
    this.#ports = portsOf(solver);
    this.#batch = solver.batch;
    this.#commands = made.commands;
    this.#groups = made.groups;
    this.#memory = made.memory;
    this.requirements = requirements;
  }

  /** @throws EngineError LIMIT-MEMORY, KERNEL-COMPILE, DEVICE-LOST, DEVICE-DESTROYED */
  static async create<Buffers extends object>(
    engine: Engine,
    solver: Solver,
    requirements: Requirements = requirementsOf(solver),
  ): Promise<SolverPlan<Buffers>> {
    return new SolverPlan(engine, solver, requirements, await make(engine, solver));
  }

  get dispatches(): number {
    return this.#commands.length;
  }

  /**
   * Records the solver: into a pass of its own on an encoder, or into the caller's compute pass, where it leaves its own pipeline and
   * bind group 0 set. Inputs must hold their data when these dispatches execute; outputs hold the results afterwards. With buffers that
   * were used before, no GPU object is created.
   *
   * @throws EngineError LINALG-BUFFER, LINALG-BUFFER-SIZE, LINALG-OFFSET, LINALG-USAGE, LINALG-ALIAS before anything is recorded;
   *         LINALG-DESTROYED, DEVICE-DESTROYED, DEVICE-LOST
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, buffers: Buffers): void {
    this.encodeRange(target, buffers, 0, this.#commands.length);
  }

  /** Records the dispatches from `start` to before `end`, for hosts that submit a long solve in parts. */
  encodeRange(target: GPUCommandEncoder | GPUComputePassEncoder, buffers: Buffers, start: number, end: number): void {
    this.#engine.assertUsable();
    if (this.#isDestroyed) {
      throw new EngineError({
        code: "LINALG-DESTROYED",
        message: `The plan ${this.#label} was destroyed; its buffers are gone`,
        fix: "Make another plan, or destroy this one later.",
      });
    }
    const { groups } = this.#bind(buffers);
    if (!("beginComputePass" in target)) {
      this.#record(target, groups, start, end);
      return;
    }
    const pass = target.beginComputePass({ label: this.#label });
    this.#record(pass, groups, start, end);
    pass.end();
  }

  /**
   * Waits for what has been submitted, and reads the status of each matrix of the last solve: 16 bytes a matrix. The only call that
   * waits.
   *
   * @throws EngineError LINALG-DESTROYED, DEVICE-DESTROYED, DEVICE-LOST
   */
  async readStatus(): Promise<readonly MatrixStatus[]> {
    const status = this.#memory.get("status");
    if (this.#isDestroyed || !status) {
      throw new EngineError({
        code: "LINALG-DESTROYED",
        message: `The plan ${this.#label} was destroyed; its status is gone`,
        fix: "Read the status before destroying the plan.",
      });
    }
    const port = this.#ports.outputs.find(({ name }) => name === "status");
    return decodeStatus(await this.#engine.readBuffer(status, 0, port?.sizeBytes ?? 0), this.#batch);
  }

  /** Frees what this plan made: scratch, parameters, status. The caller's buffers and device stay. Idempotent. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#bindings = [];
    this.#engine.destroyBuffers(this.#memory.values());
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #record(pass: GPUComputePassEncoder, groups: readonly GPUBindGroup[], start: number, end: number): void {
    let pipeline: GPUComputePipeline | undefined;
    let bound = -1;
    for (let index = start; index < end; index++) {
      const command = this.#commands[index];
      if (!command) break;
      if (command.pipeline !== pipeline) {
        pipeline = command.pipeline;
        pass.setPipeline(pipeline);
      }
      if (command.group !== bound) {
        bound = command.group;
        pass.setBindGroup(0, groups[bound] as GPUBindGroup);
      }
      pass.dispatchWorkgroups(...command.grid);
    }
  }

  /** The bind groups for some buffers, from memory if they were used lately. */
  #bind(buffers: Buffers): Binding {
    const { device } = this.#engine;
    const given = buffers as Readonly<Record<string, PlanBuffer | undefined>>;
    const ranges = portRanges(this.#label, this.#ports, given, device.limits.minStorageBufferOffsetAlignment);
    const known = this.#bindings.find((binding) =>
      binding.ranges.every(
        ({ buffer, offsetBytes }, index) =>
          buffer === ranges[index]?.buffer && offsetBytes === ranges[index]?.offsetBytes,
      ),
    );
    if (known) return known;
    const byName = new Map(ranges.map((range) => [range.name, range]));
    const status = this.#memory.get("status") as GPUBuffer;
    const port = (list: readonly Port[], index: number): BufferRange => {
      const name = list[index]?.name ?? "";
      return name === "status" ? { buffer: status } : (byName.get(name) as PortRange);
    };
    const groups = this.#groups.map(
      (group) =>
        group.fixed ??
        makeGroup(this.#engine, group, (operand) =>
          operand.kind === "input"
            ? port(this.#ports.inputs, operand.index)
            : operand.kind === "output"
              ? port(this.#ports.outputs, operand.index)
              : ownRange(this.#memory, operand),
        ),
    );
    const binding = { ranges, groups };
    this.#bindings = [binding, ...this.#bindings.slice(0, REMEMBERED - 1)];
    return binding;
  }
}

/** @throws EngineError what the family throws for a shape, LIMIT-DEVICE, LIMIT-MEMORY, KERNEL-COMPILE */
export async function planFor<Shape, Buffers extends object>(
  engine: Engine,
  family: SolverFamily<Shape>,
  shape: Shape,
): Promise<SolverPlan<Buffers>> {
  const solver = family.solver(shape, targetFor(engine.adapter.isSoftware));
  const needed = requirementsOf(solver);
  requireLimits(family, shape, needed.limits, engine.adapter);
  return SolverPlan.create(engine, solver, needed);
}

interface Made {
  readonly commands: readonly Command[];
  readonly groups: readonly Group[];
  readonly memory: ReadonlyMap<string, GPUBuffer>;
}

async function make(engine: Engine, solver: Solver): Promise<Made> {
  const { calls, label } = solver;
  const pipelines = await buildVariants(engine, calls);
  const uniforms = packUniforms(calls);
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const status = portsOf(solver).outputs.find(({ name }) => name === "status");
  const wanted = [
    ...[...scratchBytes(calls)].map(([name, sizeBytes]) => ({ name: `scratch ${name}`, sizeBytes, usage: storage })),
    { name: "status", sizeBytes: status?.sizeBytes ?? 0, usage: storage },
    { name: "unused", sizeBytes: 256, usage: storage },
    {
      name: "uniforms",
      sizeBytes: uniforms.bytes.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    },
  ];
  const buffers = await engine.createBuffers(wanted.map((want) => ({ ...want, label: `${label} ${want.name}` })));
  try {
    const memory = new Map(wanted.map(({ name }, index) => [name, buffers[index] as GPUBuffer]));
    const uniform = memory.get("uniforms") as GPUBuffer;
    const groups: Group[] = [];
    const numbers = new Map<string, number>();
    const layoutNumbers = new Map<GPUBindGroupLayout, number>();
    const commands = calls.map((call, index): Command => {
      const { pipeline, layout } = pipelines[index] as KernelPipeline;
      const { offset, size } = uniforms.ranges[index] ?? { offset: 0, size: 0 };
      if (!layoutNumbers.has(layout)) layoutNumbers.set(layout, layoutNumbers.size);
      const key = `${layoutNumbers.get(layout)} ${offset} ${Object.entries(call.bindings).map(operandKey).join()}`;
      let group = numbers.get(key);
      if (group === undefined) {
        group = groups.length;
        numbers.set(key, group);
        const range = { buffer: uniform, offsetBytes: offset, sizeBytes: size };
        groups.push({ call, layout, uniform: range, fixed: undefined });
      }
      return { pipeline, group, grid: call.kernel.grid(call.params, call.knobs) };
    });
    await engine.guard(
      withErrorScopes(engine.device, `bind groups of ${label}`, () => {
        if (uniforms.bytes.byteLength > 0) engine.write(uniform, 0, uniforms.bytes);
        for (const group of groups) {
          const operands = Object.values(group.call.bindings);
          const isOwn = operands.every(({ kind }) => kind === "scratch" || kind === "unused");
          if (isOwn) group.fixed = makeGroup(engine, group, (operand) => ownRange(memory, operand));
        }
      }),
    );
    return { commands, groups, memory };
  } catch (error) {
    engine.destroyBuffers(buffers);
    throw error;
  }
}

/** One pipeline for each call; variants are lowered once each. */
async function buildVariants(engine: Engine, calls: readonly KernelCall[]): Promise<readonly KernelPipeline[]> {
  const variants = new Map<string, Promise<KernelPipeline>>();
  const built = calls.map(({ kernel, knobs }) => {
    const key = variantKey(kernel.name, knobs);
    let variant = variants.get(key);
    if (!variant) {
      variant = buildKernel(engine, kernel, knobs);
      variants.set(key, variant);
    }
    return variant;
  });
  return Promise.all(built);
}

function operandKey([binding, operand]: readonly [string, Operand]): string {
  if (operand.kind === "unused") return `${binding}:unused`;
  return `${binding}:${operand.kind}:${operand.kind === "scratch" ? operand.name : operand.index}`;
}

function ownRange(memory: ReadonlyMap<string, GPUBuffer>, operand: Operand): BufferRange {
  return { buffer: memory.get(operand.kind === "scratch" ? `scratch ${operand.name}` : "unused") as GPUBuffer };
}

function makeGroup(engine: Engine, group: Group, rangeOf: (operand: Operand) => BufferRange): GPUBindGroup {
  const { call, layout, uniform } = group;
  const ranges = Object.fromEntries(
    Object.entries(call.bindings).map(([name, operand]) => [name, rangeOf(operand)] as const),
  );
  engine.count("bindGroups");
  return engine.device.createBindGroup({
    label: call.kernel.name,
    layout,
    entries: bindGroupEntries(call.kernel, ranges, uniform),
  });
}
