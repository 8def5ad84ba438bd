/** Runs a solver's list of kernel calls on host arrays, as a plan does: scratch by name, one pass, one submit. */
import type { Engine } from "../../src/device/engine.ts";
import type { KernelCall, Operand } from "../../src/kernels/call.ts";
import { bindGroupEntries, buildKernel, packParams } from "../../src/kernels/kernel.ts";

export interface CallsRun {
  /** Outputs by index, as words. */
  readonly outputs: readonly ArrayBuffer[];
  /** Scratch buffers named in `read`. */
  readonly scratch: Readonly<Record<string, ArrayBuffer>>;
  /** Milliseconds of every repetition, submit to completion. */
  readonly times: readonly number[];
  /** Milliseconds of every call alone, when asked for. */
  readonly callTimes: readonly number[];
}

/**
 * @param outputElements elements of every output; they are filled with −12345 first
 * @param options.repeat further runs, timed; `each` times every call alone (the least of five runs)
 */
export async function runCalls(
  engine: Engine,
  calls: readonly KernelCall[],
  input: Float32Array<ArrayBuffer>,
  outputElements: readonly number[],
  {
    repeat = 0,
    each = false,
    read = [],
    unroll = true,
  }: {
    readonly repeat?: number;
    readonly each?: boolean;
    readonly read?: readonly string[];
    readonly unroll?: boolean;
  } = {},
): Promise<CallsRun> {
  const { device } = engine;
  const buffers = new Map<string, GPUBuffer>();
  const make = async (name: string, elements: number, initial?: Float32Array<ArrayBuffer>) => {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM;
    const buffer = await engine.createBuffer({ label: name, sizeBytes: 4 * elements, usage });
    const data = initial ?? new Float32Array(buffer.size / 4).fill(-12345);
    if (data.length * 4 <= buffer.size) device.queue.writeBuffer(buffer, 0, data);
    buffers.set(name, buffer);
  };
  const sizes = new Map<string, number>();
  const keyOf = (operand: Operand) =>
    operand.kind === "scratch"
      ? operand.name
      : operand.kind === "unused"
        ? "unused"
        : `${operand.kind} ${operand.index}`;
  for (const { bindings } of calls) {
    for (const operand of Object.values(bindings)) {
      if (operand.kind !== "scratch") continue;
      sizes.set(operand.name, Math.max(sizes.get(operand.name) ?? 0, operand.elements));
    }
  }
  try {
    await make("input 0", input.length, input);
    await make("unused", 64, new Float32Array(64));
    for (const [name, elements] of sizes) await make(name, elements);
    for (const [index, elements] of outputElements.entries()) await make(`output ${index}`, elements);
    const steps: { pipeline: GPUComputePipeline; group: GPUBindGroup; grid: readonly [number, number, number] }[] = [];
    for (const [at, call] of calls.entries()) {
      const { pipeline, layout } = await buildKernel(engine, call.kernel, call.knobs, { unroll });
      const packed = packParams(call.kernel, call.params);
      await make(`params ${at}`, packed.byteLength / 4, new Float32Array(packed));
      const ranges = Object.fromEntries(
        Object.entries(call.bindings).map(([name, operand]) => {
          const buffer = buffers.get(keyOf(operand));
          if (!buffer) throw new Error(`no buffer for ${name}`);
          return [name, { buffer }];
        }),
      );
      const uniform = buffers.get(`params ${at}`);
      const entries = bindGroupEntries(call.kernel, ranges, uniform && { buffer: uniform });
      steps.push({
        pipeline,
        group: device.createBindGroup({ layout, entries }),
        grid: call.kernel.grid(call.params, call.knobs),
      });
    }
    const run = async (chosen: typeof steps) => {
      const started = performance.now();
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, grid } of chosen) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...grid);
      }
      pass.end();
      engine.submit(encoder.finish());
      await engine.guard(device.queue.onSubmittedWorkDone());
      return performance.now() - started;
    };
    await run(steps);
    const outputs: ArrayBuffer[] = [];
    for (const [index, elements] of outputElements.entries()) {
      const buffer = buffers.get(`output ${index}`);
      if (buffer) outputs.push(await engine.readBuffer(buffer, 0, 4 * elements));
    }
    const scratch: Record<string, ArrayBuffer> = {};
    for (const name of read) {
      const buffer = buffers.get(name);
      if (!buffer) throw new Error(`no scratch buffer is called ${name}`);
      scratch[name] = await engine.readBuffer(buffer);
    }
    const times: number[] = [];
    for (let i = 0; i < repeat; i++) times.push(await run(steps));
    const callTimes = steps.map(() => Number.POSITIVE_INFINITY);
    for (let i = 0; each && i < 5; i++) {
      for (const [at, step] of steps.entries()) callTimes[at] = Math.min(callTimes[at] ?? 0, await run([step]));
    }
    return { outputs, scratch, times, callTimes };
  } finally {
    engine.destroyBuffers(buffers.values());
  }
}
