/** What the adapter itself can do, measured beside the suites: their numbers are to be read against these. */
import type { Engine } from "../../device/engine.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { copyRange, multiplyAdd } from "../../kernels/library.ts";
import type { Ceiling } from "./contract.ts";
import { prepareDispatches } from "./dispatchList.ts";
import { timed } from "./timing.ts";

/** Variants of the multiply-add kernel; which one hides latency best depends on the adapter. */
const CHAINS = [4, 8, 12];
const WORKGROUPS = [8, 64];
const INVOCATIONS = 2 ** 15;
/** A multiply and an add in each of four components. */
const FLOPS_PER_STEP = 8;
/** Long enough for submit and wait not to matter, short enough for any watchdog. */
const LEAST_MS = 10;
const COPIED_WORDS = 2 ** 24;
const DISPATCHES = 500;

export async function measureCeiling(engine: Engine): Promise<Ceiling> {
  return {
    gflops: await multiplyAddGflops(engine),
    gbps: (2 * 4 * COPIED_WORDS) / (1e6 * (await copyMs(engine))),
    usPerDispatch: await dispatchMicroseconds(engine),
  };
}

async function multiplyAddGflops(engine: Engine): Promise<number> {
  const [chains, workgroup] = [8, 64];
  let rounds = 16;
  let ms = await multiplyAddMs(engine, { chains, workgroup, rounds }, 3);
  while (ms < LEAST_MS && rounds < 2 ** 16) {
    rounds *= Math.max(2, Math.min(16, Math.ceil((1.2 * LEAST_MS) / ms)));
    ms = await multiplyAddMs(engine, { chains, workgroup, rounds }, 3);
  }
  const rates: number[] = [];
  for (const workgroup of WORKGROUPS) {
    for (const chains of CHAINS) {
      // The fastest of many short runs: what else the machine does leaves some of them alone.
      const fastestMs = await multiplyAddMs(engine, { chains, workgroup, rounds }, 8);
      rates.push((FLOPS_PER_STEP * 4 * rounds * chains * INVOCATIONS) / (1e6 * fastestMs));
    }
  }
  return Math.max(...rates);
}

interface MultiplyAddVariant {
  readonly chains: number;
  readonly workgroup: number;
  readonly rounds: number;
}

async function multiplyAddMs(engine: Engine, variant: MultiplyAddVariant, runs: number): Promise<number> {
  const { chains, workgroup, rounds } = variant;
  const call: KernelCall = {
    kernel: multiplyAdd,
    knobs: { CHAINS: chains, WG: workgroup },
    // Tends to the fixed point 2: no number on the way is denormal or grows.
    params: { groups: INVOCATIONS / workgroup, rounds, factor: 0.5, shift: 1, start: 0 },
    bindings: { y: { kind: "output", index: 0 } },
  };
  using list = await prepareDispatches(engine, { calls: [call], inputs: [], outputBytes: [16 * INVOCATIONS] });
  return (await timed(() => list.run([]), { runs, budgetMs: 0 })).fastestMs;
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
