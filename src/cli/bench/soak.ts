/** A long run of the golden step: whether its speed, its memory and its objects stay what they were. */
import { type BenchContext, type BenchRow, OURS } from "./contract.ts";
import { countsBetween, countsPerRun, type GpuCallCounts } from "./gpuCalls.ts";
import { prepareGoldenStep } from "./ownStep.ts";
import type { StepWork } from "./peerContract.ts";
import { checkLosses } from "./stepLosses.ts";
import { LEAST_SOAK_STEPS, SOAK, SOAK_EARLY, SOAK_WINDOW } from "./stepTargets.ts";
import { median, summarize } from "./timing.ts";

export async function measureSoak(context: BenchContext, work: StepWork, steps: number): Promise<BenchRow> {
  const { engine, calls, progress, signal } = context;
  const prepared = await prepareGoldenStep(engine, work, { spectrum: false });
  const arrivals: { readonly atMs: number; readonly liveBytes: number; readonly counts: GpuCallCounts }[] = [];
  const losses: number[] = [];
  calls.resetPeak();
  try {
    await prepared.run(
      steps,
      (loss) => {
        if (losses.length % SOAK_EARLY === 0) progress(`soak: step ${losses.length} of ${steps}`);
        losses.push(loss);
        arrivals.push({ atMs: performance.now(), liveBytes: calls.liveBytes, counts: calls.counts });
      },
      signal,
    );
    signal.throwIfAborted();
  } finally {
    prepared.release();
  }
  const times = arrivals.slice(1).map(({ atMs }, at) => atMs - (arrivals[at]?.atMs ?? 0));
  const [warm, end] = [arrivals[SOAK_EARLY], arrivals.at(-2)];
  if (!warm || !end) throw new Error(`unreachable: a soak has at least ${LEAST_SOAK_STEPS} steps`);
  const { verified, error } = checkLosses(losses);
  return {
    suite: "step",
    name: SOAK,
    engine: OURS,
    ...summarize(times),
    verified: verified && losses.every(Number.isFinite),
    error,
    ...countsPerRun(countsBetween(warm.counts, end.counts), arrivals.length - 2 - SOAK_EARLY),
    speedKept:
      median(times.slice(SOAK_EARLY - SOAK_WINDOW, SOAK_EARLY + SOAK_WINDOW)) / median(times.slice(-SOAK_WINDOW)),
    memoryGrowthBytes: end.liveBytes - warm.liveBytes,
  };
}
