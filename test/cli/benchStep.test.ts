/** The suite `step` around a smaller net than the golden one, on Dawn: arrivals, counts and memory of our own engine, and of doubles. */
import { describe, expect, it } from "vitest";
import { planTotals } from "../../src/autodiff/plan.ts";
import { FIRST_VARIANT } from "../../src/cli/bench/ceiling.ts";
import { GOLDEN_LOSSES, goldenWork } from "../../src/cli/bench/goldenWork.ts";
import { GpuCalls } from "../../src/cli/bench/gpuCalls.ts";
import { prepareGoldenStep } from "../../src/cli/bench/ownStep.ts";
import type { FilterValues, PreparedStep, StepWork } from "../../src/cli/bench/peerContract.ts";
import { checkLosses } from "../../src/cli/bench/stepLosses.ts";
import { measureStep } from "../../src/cli/bench/stepSuite.ts";
import { dispatchCounts } from "../../src/train/trainingStep.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

/** The golden net's stem and first block on four images of 8 × 8. */
function smallWork(): StepWork {
  const whole = goldenWork();
  const [batch, side, features] = [4, 8, 16];
  const isKept = ({ name }: FilterValues) => name === "conv1" || name.startsWith("layer1");
  return {
    ...whole,
    batch,
    side,
    images: whole.images.slice(0, batch * 3 * side * side),
    filters: whole.filters.filter(isKept),
    blocks: whole.blocks.slice(0, 1),
    head: whole.head.slice(0, features * features),
  };
}

/** An engine whose losses are as the test says, one a turn. */
function double(losses: readonly number[], started: string[] = []): PreparedStep {
  return {
    async run(steps, onLoss, signal) {
      for (let step = 0; step < steps && !signal.aborted; step++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        onLoss(losses[step] ?? 1);
      }
    },
    reportedGpuBytes: () => 123,
    release: () => started.push("released"),
  };
}

const context = (calls: GpuCalls) => ({
  engine: engine(),
  signal: new AbortController().signal,
  progress() {},
  calls,
  peers: [],
  wants: () => true,
  soakSteps: undefined,
  multiplyAdds: FIRST_VARIANT,
});

describe("a training step of ours", () => {
  it("is one submit of the planned dispatches, creates and writes nothing, and holds what the planner says", async () => {
    using calls = GpuCalls.install();
    const work = smallWork();
    const own = await prepareGoldenStep(engine(), work, { spectrum: false });
    own.release();
    const { plan } = own;
    const row = await measureStep(context(calls), {
      name: "small step",
      engine: "eigenstep",
      flops: 1e6,
      prepare: () => prepareGoldenStep(engine(), work, { spectrum: false }),
    });
    expect(row).toMatchObject({
      suite: "step",
      name: "small step",
      runs: 12,
      // Its losses are not those of the golden net.
      verified: false,
      dispatches: dispatchCounts(plan).withRecord,
      passes: 1,
      submits: 1,
      objectsCreated: 0,
      writeBuffers: 0,
      // Header, loss, and the loss again in place of a spectrum.
      bytesReadBack: 16 + 8,
      reportedGpuBytes: planTotals(plan).peakBytes,
      // Beside the plan, two buffers that 64 records fit into.
      peakGpuBytes: planTotals(plan).peakBytes + 2 * (16 + 64 * 8),
    });
    expect(row.losses).toHaveLength(13);
    expect(row.losses!.every(Number.isFinite)).toBe(true);
    expect(row.losses!.at(-1)).toBeLessThan(row.losses![0]!);
    expect(row.jsMs).toBeGreaterThan(0);
    expect(row.gflops).toBeCloseTo(1e6 / (1e6 * row.medianMs!), 12);
  });
});

describe("steps of any engine", () => {
  it("are verified by the known losses, timed from the first loss on, released", async () => {
    using calls = GpuCalls.install();
    const started: string[] = [];
    const entry = {
      name: "golden step",
      engine: "double",
      flops: 1,
      prepare: async () => double(GOLDEN_LOSSES, started),
    };
    const row = await measureStep(context(calls), entry);
    expect(row).toMatchObject({ verified: true, runs: 12, dispatches: 0, submits: 0, reportedGpuBytes: 123 });
    expect(row.losses!.slice(0, 5)).toEqual(GOLDEN_LOSSES);
    expect(started).toEqual(["released"]);
  });

  it("that fail are a row that says so", async () => {
    using calls = GpuCalls.install();
    const entry = { name: "golden step", engine: "double", flops: 1, prepare: () => Promise.reject(new Error("no")) };
    expect(await measureStep(context(calls), entry)).toMatchObject({
      medianMs: null,
      verified: false,
      note: "failed: Error: no",
    });
  });

  it("that are interrupted end the benchmark", async () => {
    using calls = GpuCalls.install();
    const stop = new AbortController();
    const prepare = async (): Promise<PreparedStep> => ({
      ...double(GOLDEN_LOSSES),
      run: async (_steps, onLoss) => {
        onLoss(1);
        stop.abort(new Error("enough"));
      },
    });
    const entry = { name: "golden step", engine: "double", flops: 1, prepare };
    await expect(measureStep({ ...context(calls), signal: stop.signal }, entry)).rejects.toThrow("enough");
  });

  it("losses: all five within 2e-6", () => {
    expect(checkLosses([...GOLDEN_LOSSES, 9])).toEqual({ verified: true, error: 0 });
    expect(checkLosses(GOLDEN_LOSSES.map((loss) => loss + 1.9e-6)).verified).toBe(true);
    expect(checkLosses(GOLDEN_LOSSES.map((loss, at) => loss + (at === 4 ? 2.1e-6 : 0))).verified).toBe(false);
    expect(checkLosses(GOLDEN_LOSSES.slice(0, 4)).verified).toBe(false);
  });
});
