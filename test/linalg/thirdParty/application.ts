/**
 * An application with a device, buffers, shaders and a pass of its own, which takes eigenvalues from this library between two of its own
 * dispatches. Runs in Node and in a page alike.
 */
import type { Engine as EngineClass, plan as makePlan } from "../../../src/linalg/index.ts";

/** What the application imports from `eigenstep/linalg`. */
export interface Library {
  readonly Engine: typeof EngineClass;
  readonly plan: typeof makePlan;
}

export interface Outcome {
  /** Sums of eigenvalues of each matrix. */
  readonly sums: readonly number[];
  /** What they must be: the traces. */
  readonly traces: readonly number[];
  /** Sums found by the application after the plan and the engine were destroyed, from the eigenvalues left in its buffer. */
  readonly sumsAfterwards: readonly number[];
  readonly status: readonly string[];
  /** GPU objects that the library created while the second, third … pass was encoded. */
  readonly createdWhileEncoding: number;
  readonly submitsByLibrary: number;
  readonly isLost: boolean;
  readonly gpuErrors: readonly string[];
}

const N = 24;
const BATCH = 3;
/** Where the application keeps its matrices and eigenvalues inside larger buffers, in bytes. */
const MATRICES_AT = 512;
const VALUES_AT = 256;

export async function runApplication(device: GPUDevice, code: string, { Engine, plan }: Library): Promise<Outcome> {
  const gpuErrors: string[] = [];
  device.onuncapturederror = (event) => gpuErrors.push(event.error.message);
  let isLost = false;
  void device.lost.then(() => {
    isLost = true;
  });

  const storage = GPUBufferUsage.STORAGE;
  const buffer = (size: number, usage: GPUBufferUsageFlags): GPUBuffer => device.createBuffer({ size, usage });
  const size = buffer(16, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  const matrices = buffer(MATRICES_AT + 4 * BATCH * N * N + 1000, storage);
  const eigenvalues = buffer(VALUES_AT + 4 * BATCH * N, storage);
  const sums = buffer(4 * BATCH, storage | GPUBufferUsage.COPY_SRC);
  device.queue.writeBuffer(size, 0, Uint32Array.of(N, BATCH));

  const bindings: GPUBufferBindingType[] = ["uniform", "storage", "storage", "storage"];
  const layout = device.createBindGroupLayout({
    entries: bindings.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  });
  const module = device.createShaderModule({ code });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipeline = (entryPoint: string): GPUComputePipeline =>
    device.createComputePipeline({ layout: pipelineLayout, compute: { module, entryPoint } });
  const [fill, consume] = [pipeline("fill"), pipeline("consume")];
  const resources = [
    { buffer: size },
    { buffer: matrices, offset: MATRICES_AT },
    { buffer: eigenvalues, offset: VALUES_AT },
    { buffer: sums },
  ];
  const group = device.createBindGroup({
    layout,
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });

  const engine = Engine.from(device);
  const solver = await plan(engine, { n: N, batch: BATCH });
  const buffers = {
    a: { buffer: matrices, offsetBytes: MATRICES_AT },
    values: { buffer: eigenvalues, offsetBytes: VALUES_AT },
  };

  /** One submit of the application's own; `solve` says whether eigenvalues are found anew. */
  const run = async (solve: boolean): Promise<number[]> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    if (solve) {
      pass.setPipeline(fill);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil((BATCH * N * N) / 64));
      solver.encode(pass, buffers);
    }
    pass.setPipeline(consume);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(BATCH);
    pass.end();
    const staging = buffer(sums.size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    encoder.copyBufferToBuffer(sums, 0, staging, 0, sums.size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const result = [...new Float32Array(staging.getMappedRange())];
    staging.destroy();
    return result;
  };

  const submitsBefore = engine.calls.submits;
  const first = await run(true);
  const before = engine.objectsCreated;
  await run(true);
  const second = await run(true);
  const createdWhileEncoding = engine.objectsCreated - before;
  const submitsByLibrary = engine.calls.submits - submitsBefore;
  if (String(first) !== String(second)) gpuErrors.push(`${first} is not ${second}`);
  const status = (await solver.readStatus()).map((matrix) => matrix.status);

  solver.destroy();
  engine.destroy();
  const sumsAfterwards = await run(false);
  // A lost device would have told by now: the map above came after the loss.
  await new Promise((resolve) => setTimeout(resolve, 20));
  return {
    sums: second,
    traces: Array.from({ length: BATCH }, (_, g) => ((g + 1) * (N + 1)) / 2),
    sumsAfterwards,
    status,
    createdWhileEncoding,
    submitsByLibrary,
    isLost,
    gpuErrors,
  };
}
