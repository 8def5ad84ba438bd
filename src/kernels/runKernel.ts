/** Runs one kernel once on host arrays: for tests, self-checks and set-up. Training steps go through a compiled plan instead. */
import type { Engine } from "../device/engine.ts";
import { withErrorScopes } from "../device/errorScopes.ts";
import { bindGroupEntries, buildKernel, type Kernel, type KernelParams, packParams } from "./kernel.ts";
import type { KnobValues } from "./specialize.ts";

export type HostArray = Float32Array | Uint32Array | Int32Array | Uint8Array;

export interface KernelRun {
  /** Initial contents by binding name; outputs included (their size counts). The first name given to several bindings shares nothing. */
  readonly buffers: Readonly<Record<string, HostArray>>;
  readonly params?: KernelParams;
  readonly knobs?: KnobValues;
  readonly unroll?: boolean;
  /** Bindings to read back. */
  readonly read: readonly string[];
}

/** @returns the contents of the bindings named in `read` after the dispatch, each with the type of its initial array */
export async function runKernel(
  engine: Engine,
  kernel: Kernel,
  run: KernelRun,
): Promise<Readonly<Record<string, HostArray>>> {
  const { device } = engine;
  const params = run.params ?? {};
  const { pipeline, layout } = await buildKernel(
    engine,
    kernel,
    run.knobs,
    run.unroll === undefined ? {} : { unroll: run.unroll },
  );
  const packed = packParams(kernel, params);
  const names = Object.keys(run.buffers);
  const buffers = await engine.createBuffers([
    ...names.map((name) => ({
      label: `${kernel.name} ${name}`,
      sizeBytes: run.buffers[name]?.byteLength ?? 0,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    })),
    {
      label: `${kernel.name} params`,
      sizeBytes: packed.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    },
  ]);
  try {
    const uniform = buffers[names.length];
    const ranges = Object.fromEntries(
      names.flatMap((name, index) => (buffers[index] ? [[name, { buffer: buffers[index] }]] : [])),
    );
    await engine.guard(
      withErrorScopes(device, `dispatch of ${kernel.name}`, () => {
        names.forEach((name, index) => {
          const data = run.buffers[name];
          const buffer = buffers[index];
          if (data && buffer) engine.write(buffer, 0, paddedBytes(data));
        });
        if (uniform && packed.byteLength > 0) engine.write(uniform, 0, packed);
        engine.count("bindGroups");
        const group = device.createBindGroup({
          label: kernel.name,
          layout,
          entries: bindGroupEntries(kernel, ranges, uniform && { buffer: uniform }),
        });
        const encoder = device.createCommandEncoder({ label: kernel.name });
        const pass = encoder.beginComputePass({ label: kernel.name });
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...kernel.grid(params, run.knobs ?? {}));
        pass.end();
        engine.submit(encoder.finish());
      }),
    );
    const results: Record<string, HostArray> = {};
    for (const name of run.read) {
      const initial = run.buffers[name];
      const buffer = buffers[names.indexOf(name)];
      if (!initial || !buffer) throw new Error(`${kernel.name} has no buffer ${name} to read`);
      const bytes = await engine.readBuffer(buffer, 0, initial.byteLength);
      results[name] = new (initial.constructor as new (bytes: ArrayBuffer) => HostArray)(bytes);
    }
    return results;
  } finally {
    engine.destroyBuffers(buffers);
  }
}

/** The array's bytes, padded to the multiple of 4 that writeBuffer requires. */
function paddedBytes(data: HostArray): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return bytes;
}
