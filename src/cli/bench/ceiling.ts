/** What the adapter itself can do, measured beside the suites: their numbers are to be read against these. */
import type { Engine } from "../../device/engine.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { copyRange } from "../../kernels/library.ts";
import { targetFor } from "../../linalg/requirements.ts";
import { matmulOp } from "../../ops/matmul.ts";
import type { Ceiling } from "./contract.ts";
import { prepareDispatches } from "./dispatchList.ts";
import { timed } from "./timing.ts";

const ORDER = 512;
const COPIED_WORDS = 2 ** 24;
const DISPATCHES = 500;

export async function measureCeiling(engine: Engine): Promise<Ceiling> {
  return {
    gflops: (2 * ORDER ** 3) / (1e6 * (await productMs(engine))),
    gbps: (2 * 4 * COPIED_WORDS) / (1e6 * (await copyMs(engine))),
    usPerDispatch: await dispatchMicroseconds(engine),
  };
}

async function productMs(engine: Engine): Promise<number> {
  const matrix = { shape: [ORDER, ORDER], dtype: "f32" } as const;
  const placed = { ...matrix, offset: 0 };
  const calls = matmulOp.lower({
    inputs: [placed, placed],
    outputs: [placed],
    attributes: { transposeA: false, transposeB: true, scale: 1, hasBias: false, hasAddend: false, relu: false },
    target: targetFor(engine.adapter.isSoftware),
  });
  const inputs = [new Float32Array(ORDER ** 2).fill(1), new Float32Array(ORDER ** 2).fill(1)];
  using list = await prepareDispatches(engine, { calls, inputs, outputBytes: [4 * ORDER ** 2] });
  return (await timed(() => list.run([]), { runs: 3, budgetMs: 500 })).fastestMs;
}

async function copyMs(engine: Engine): Promise<number> {
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const sizeBytes = 4 * COPIED_WORDS;
  const buffers = await engine.createBuffers([
    { label: "bench copied", sizeBytes, usage },
    { label: "bench copy", sizeBytes, usage },
  ]);
  const [from, to] = buffers as [GPUBuffer, GPUBuffer];
  try {
    const timing = await timed(
      async () => {
        const encoder = engine.device.createCommandEncoder();
        encoder.copyBufferToBuffer(from, 0, to, 0, sizeBytes);
        engine.submit(encoder.finish());
        await engine.guard(engine.device.queue.onSubmittedWorkDone());
      },
      { runs: 3, budgetMs: 300 },
    );
    return timing.fastestMs;
  } finally {
    engine.destroyBuffers(buffers);
  }
}

/** Difference between many and few dispatches of one workgroup, so that submit and wait cancel. */
async function dispatchMicroseconds(engine: Engine): Promise<number> {
  const call: KernelCall = {
    kernel: copyRange,
    knobs: {},
    params: { count: 4, x_offset: 0, y_offset: 0 },
    bindings: { x: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
  };
  const measure = async (repeats: number) => {
    const inputs = [new Float32Array(4)];
    using list = await prepareDispatches(engine, { calls: [call], inputs, outputBytes: [16], repeats });
    return (await timed(() => list.run([]), { runs: 5, budgetMs: 300 })).medianMs;
  };
  return (1000 * ((await measure(DISPATCHES)) - (await measure(1)))) / (DISPATCHES - 1);
}
