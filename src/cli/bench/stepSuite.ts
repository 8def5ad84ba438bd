/** The suite `step`: one whole training step of a small residual net (goldenWork.ts), whose losses are known. */
import { isEngineError } from "../../errors.ts";
import { type BenchContext, type BenchRow, OURS, type Suite, unmeasured } from "./contract.ts";
import { GOLDEN_LOSSES, goldenWork } from "./goldenWork.ts";
import { countsBetween, countsPerRun, type GpuCallCounts } from "./gpuCalls.ts";
import { goldenFlops, prepareGoldenStep } from "./ownStep.ts";
import type { PreparedStep } from "./peerContract.ts";
import { measureSoak } from "./soak.ts";
import { checkLosses } from "./stepLosses.ts";
import { GOLDEN, SOAK, stepTargets } from "./stepTargets.ts";
import { summarize } from "./timing.ts";

const WITH_SPECTRUM = "golden step, spectrum recorded";

/** Steps of each engine, the first one its warm-up; fewer, but all that the known losses are for, where they take longer than this. */
const STEPS = 13;
const LIMIT_MS = 60_000;

export const stepSuite: Suite = {
  async measure(context) {
    const { engine, peers, wants, soakSteps } = context;
    const work = goldenWork();
    const flops = goldenFlops(engine, work);
    const rows: BenchRow[] = [];
    const add = async (name: string, by: string, prepare: () => Promise<PreparedStep>) => {
      if (wants(name)) rows.push(await measureStep(context, { name, engine: by, flops, prepare }));
    };
    await add(GOLDEN, OURS, () => prepareGoldenStep(engine, work, { spectrum: false }));
    await add(WITH_SPECTRUM, OURS, () => prepareGoldenStep(engine, work, { spectrum: true }));
    for (const { engine: by, step } of peers) {
      if (step) await add(GOLDEN, by, () => step(work));
    }
    if (soakSteps !== undefined && wants(SOAK)) rows.push(await measureSoak(context, work, soakSteps));
    return rows;
  },
  targets: stepTargets,
};

interface Arrival {
  readonly atMs: number;
  readonly loss: number;
  readonly counts: GpuCallCounts;
}

/** One engine's steps. */
export interface StepEntry {
  readonly name: string;
  readonly engine: string;
  /** Of one step. */
  readonly flops: number;
  readonly prepare: () => Promise<PreparedStep>;
}

/** A row, also where the engine fails; what fails in ours and is no EngineError is a defect and thrown. */
export async function measureStep(context: BenchContext, entry: StepEntry): Promise<BenchRow> {
  const { name, engine } = entry;
  context.signal.throwIfAborted();
  context.progress(`step: ${name}, ${engine}`);
  try {
    return await runSteps(context, entry);
  } catch (error) {
    context.signal.throwIfAborted();
    context.engine.assertUsable();
    if (engine === OURS && !isEngineError(error)) throw error;
    const text = isEngineError(error) ? `${error.code} ${error.message}` : String(error);
    return unmeasured({ suite: "step", name, engine }, `failed: ${text}`);
  }
}

async function runSteps(
  { calls, signal }: BenchContext,
  { name, engine, flops, prepare }: StepEntry,
): Promise<BenchRow> {
  calls.resetPeak();
  const aliveBefore = calls.liveBytes;
  const started = performance.now();
  const prepared = await prepare();
  try {
    const arrivals: Arrival[] = [];
    const enough = new AbortController();
    await prepared.run(
      STEPS,
      (loss) => {
        arrivals.push({ atMs: performance.now() - started, loss, counts: calls.counts });
        const atMs = arrivals.at(-1)?.atMs ?? 0;
        if (arrivals.length >= GOLDEN_LOSSES.length && atMs > LIMIT_MS) enough.abort();
      },
      AbortSignal.any([signal, enough.signal]),
    );
    signal.throwIfAborted();
    const losses = arrivals.map(({ loss }) => loss);
    const verdict = checkLosses(losses);
    const times = arrivals.slice(1).map(({ atMs }, at) => atMs - (arrivals[at]?.atMs ?? 0));
    const timing = summarize(times);
    return {
      suite: "step",
      name,
      engine,
      ...timing,
      ...verdict,
      firstMs: arrivals[0]?.atMs ?? Number.NaN,
      gflops: flops / (1e6 * timing.medianMs),
      ...steadyCounts(arrivals),
      losses,
      peakGpuBytes: calls.peakBytes - aliveBefore,
      ...(prepared.reportedGpuBytes ? { reportedGpuBytes: prepared.reportedGpuBytes() } : {}),
    };
  } finally {
    prepared.release();
  }
}

/** Per step, from the second loss to the last but one: an engine with two steps in flight encodes nothing any more at the very end. */
function steadyCounts(arrivals: readonly Arrival[]): Partial<GpuCallCounts> {
  const [first, last] = [arrivals[1], arrivals.at(-2)];
  const steps = arrivals.length - 3;
  if (!first || !last || steps < 1) return {};
  return countsPerRun(countsBetween(first.counts, last.counts), steps);
}
