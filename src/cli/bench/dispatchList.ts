/**
 * A list of kernel calls made ready to run again and again: buffers, pipelines and bind groups once, then one submit a run. What graphs
 * and solvers' plans do, without their placement; for measuring a list by itself.
 */
import type { Engine } from "../../device/engine.ts";
import { withErrorScopes } from "../../device/errorScopes.ts";
import type { KernelCall, Operand } from "../../kernels/call.ts";
import { bindGroupEntries, buildKernel, packParams } from "../../kernels/kernel.ts";
import { scratchBytes } from "../../linalg/requirements.ts";

export interface DispatchListShape {
  readonly calls: readonly KernelCall[];
  /** Contents of the inputs, by index. */
  readonly inputs: readonly Float32Array[];
  /** Sizes of the outputs, by index. */
  readonly outputBytes: readonly number[];
  /** Times the list is encoded into one run; 1 unless given. */
  readonly repeats?: number;
}

export interface DispatchList extends Disposable {
  readonly dispatches: number;
  readonly inputs: readonly GPUBuffer[];
  /** One submit, and the outputs with these indices on the host when it is done. */
  run(read: readonly number[]): Promise<ArrayBuffer[]>;
}

const STORAGE = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;

export async function prepareDispatches(engine: Engine, shape: DispatchListShape): Promise<DispatchList> {
  const { calls, inputs, outputBytes, repeats = 1 } = shape;
  const buffers = new Map<string, GPUBuffer>();
  const make = async (key: string, sizeBytes: number, usage: GPUBufferUsageFlags): Promise<GPUBuffer> => {
    const known = buffers.get(key);
    if (known) return known;
    const buffer = await engine.createBuffer({ label: `bench ${key}`, sizeBytes, usage });
    buffers.set(key, buffer);
    return buffer;
  };
  const scratch = scratchBytes(calls);
  const bufferOf = (operand: Operand, key: string): Promise<GPUBuffer> => {
    if (operand.kind === "input")
      return make(`input ${operand.index}`, inputs[operand.index]?.byteLength ?? 0, STORAGE());
    if (operand.kind === "output") return make(`output ${operand.index}`, outputBytes[operand.index] ?? 0, STORAGE());
    if (operand.kind === "scratch") return make(`scratch ${operand.name}`, scratch.get(operand.name) ?? 0, STORAGE());
    return make(`unused ${key}`, 16, STORAGE());
  };
  const steps: { pipeline: GPUComputePipeline; group: GPUBindGroup; grid: readonly [number, number, number] }[] = [];
  for (const [at, { kernel, knobs, params, bindings }] of calls.entries()) {
    const { pipeline, layout } = await buildKernel(engine, kernel, knobs);
    const packed = packParams(kernel, params);
    let uniform: GPUBuffer | undefined;
    if (packed.byteLength > 0) {
      uniform = await make(`params ${at}`, packed.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      engine.write(uniform, 0, packed);
    }
    const ranges: Record<string, { buffer: GPUBuffer }> = {};
    for (const [name, operand] of Object.entries(bindings)) {
      ranges[name] = { buffer: await bufferOf(operand, `${at} ${name}`) };
    }
    const group = await engine.guard(
      withErrorScopes(engine.device, kernel.name, () =>
        engine.device.createBindGroup({
          layout,
          entries: bindGroupEntries(kernel, ranges, uniform && { buffer: uniform }),
        }),
      ),
    );
    steps.push({ pipeline, group, grid: kernel.grid(params, knobs) });
  }
  const inputBuffers: GPUBuffer[] = [];
  for (const [index, data] of inputs.entries()) {
    const buffer = await make(`input ${index}`, data.byteLength, STORAGE());
    engine.write(buffer, 0, new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
    inputBuffers.push(buffer);
  }
  const staging = await Promise.all(
    outputBytes.map((sizeBytes, index) =>
      make(`read ${index}`, sizeBytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
    ),
  );
  return {
    dispatches: steps.length * repeats,
    inputs: inputBuffers,
    async run(read) {
      const encoder = engine.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (const { pipeline, group, grid } of steps) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(...grid);
        }
      }
      pass.end();
      for (const index of read) {
        const [from, to] = [buffers.get(`output ${index}`), staging[index]];
        if (from && to) encoder.copyBufferToBuffer(from, 0, to, 0, to.size);
      }
      engine.submit(encoder.finish());
      if (read.length === 0) await engine.guard(engine.device.queue.onSubmittedWorkDone());
      return Promise.all(
        read.map(async (index) => {
          const to = staging[index];
          if (!to) throw new Error(`there is no output ${index}`);
          await engine.guard(to.mapAsync(GPUMapMode.READ));
          const bytes = to.getMappedRange().slice(0, outputBytes[index] ?? 0);
          to.unmap();
          return bytes;
        }),
      );
    },
    [Symbol.dispose]: () => engine.destroyBuffers(buffers.values()),
  };
}
