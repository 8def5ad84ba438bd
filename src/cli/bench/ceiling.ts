/** What the adapter itself can do, measured beside the suites: their numbers are to be read against these. */
import type { Engine } from "../../device/engine.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { copyRange, multiplyAdd } from "../../kernels/library.ts";
import type { Ceiling } from "./contract.ts";
import { prepareDispatches } from "./dispatchList.ts";
import { timed } from "./timing.ts";

const CHAINS = [4, 8, 16];
const WORKGROUP = 64;
const GROUPS = 512;
/** A multiply and an add in each of four components. */
const FLOPS_PER_STEP = 8;
const LEAST_MS = 30;
const COPIED_WORDS = 2 ** 24;
const DISPATCHES = 500;

export async function measureCeiling(engine: Engine): Promise<Ceiling> {
  return {
    gflops: await multiplyAddGflops(engine),
    gbps: (2 * 4 * COPIED_WORDS) / (1e6 * (await copyMs(engine))),
    usPerDispatch: await dispatchMicroseconds(engine),
  };
}

/** The best of several numbers of independent chains: which one hides the latency best depends on the adapter. */
async function multiplyAddGflops(engine: Engine): Promise<number> {
  const rates: number[] = [];
  for (const chains of CHAINS) rates.push(await chainsGflops(engine, chains));
  return Math.max(...rates);
}

async function chainsGflops(engine: Engine, chains: number): Promise<number> {
  const run = async (rounds: number) => {
    const call: KernelCall = {
      kernel: multiplyAdd,
      knobs: { CHAINS: chains, WG: WORKGROUP },
      // Tends to the fixed point 2: no number on the way is denormal or grows.
      params: { groups: GROUPS, rounds, factor: 0.5, shift: 1, start: 0 },
      bindings: { y: { kind: "output", index: 0 } },
    };
    using list = await prepareDispatches(engine, { calls: [call], inputs: [], outputBytes: [16 * WORKGROUP * GROUPS] });
    const { fastestMs } = await timed(() => list.run([]), { runs: 5, budgetMs: 100 });
    return { gflops: (FLOPS_PER_STEP * 4 * rounds * chains * WORKGROUP * GROUPS) / (1e6 * fastestMs), fastestMs };
  };
  // Long enough for submit and wait not to matter, short enough for any watchdog.
  let rounds = 16;
  let measured = await run(rounds);
  while (measured.fastestMs < LEAST_MS && rounds < 2 ** 16) {
    rounds *= Math.max(2, Math.min(16, Math.ceil((1.2 * LEAST_MS) / measured.fastestMs)));
    measured = await run(rounds);
  }
  return measured.gflops;
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
