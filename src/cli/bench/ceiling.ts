/** What the adapter itself can do, measured beside the suites: their numbers are to be read against these. */
import type { Engine } from "../../device/engine.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { copyRange } from "../../kernels/library.ts";
import type { Ceiling } from "./contract.ts";
import { prepareDispatches } from "./dispatchList.ts";
import { flopsOf, type MultiplyAddVariant, prepareMultiplyAdd } from "./multiplyAdd.ts";
import { timed } from "./timing.ts";

/** Variants of the multiply-add kernel. */
const CHAINS = [4, 8, 12];
const WORKGROUPS = [8, 64];
/** With which the length of a run is found. */
export const FIRST_VARIANT: MultiplyAddVariant = { chains: 8, workgroup: 64 };
/** Long enough for submit and wait not to matter, short enough for any watchdog. */
const LEAST_MS = 10;
const COPIED_WORDS = 2 ** 24;
const DISPATCHES = 500;

export interface MeasuredCeiling {
  readonly ceiling: Ceiling;
  /** The multiply-add variant that reached it. */
  readonly best: MultiplyAddVariant;
}

export async function measureCeiling(engine: Engine): Promise<MeasuredCeiling> {
  const { gflops, best } = await multiplyAddGflops(engine);
  return {
    ceiling: {
      gflops,
      gbps: (2 * 4 * COPIED_WORDS) / (1e6 * (await copyMs(engine))),
      usPerDispatch: await dispatchMicroseconds(engine),
    },
    best,
  };
}

async function multiplyAddGflops(engine: Engine): Promise<{ gflops: number; best: MultiplyAddVariant }> {
  let rounds = 16;
  let ms = await multiplyAddMs(engine, FIRST_VARIANT, rounds, 3);
  while (ms < LEAST_MS && rounds < 2 ** 16) {
    rounds *= Math.max(2, Math.min(16, Math.ceil((1.2 * LEAST_MS) / ms)));
    ms = await multiplyAddMs(engine, FIRST_VARIANT, rounds, 3);
  }
  let [gflops, best] = [0, FIRST_VARIANT];
  for (const workgroup of WORKGROUPS) {
    for (const chains of CHAINS) {
      // The fastest of many short runs: what else the machine does leaves some of them alone.
      const variant = { chains, workgroup };
      const rate = flopsOf(variant, rounds) / (1e6 * (await multiplyAddMs(engine, variant, rounds, 8)));
      if (rate > gflops) [gflops, best] = [rate, variant];
    }
  }
  return { gflops, best };
}

async function multiplyAddMs(engine: Engine, variant: MultiplyAddVariant, rounds: number, runs: number) {
  const work = await prepareMultiplyAdd(engine, variant, rounds);
  try {
    return (await timed(() => work.run(), { runs, budgetMs: 0 })).fastestMs;
  } finally {
    work.release();
  }
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
