/**
 * What every WebGPU device has is enough to train: 8 storage buffers, 16 KiB of workgroup memory, 128 MiB bindings, no features. That every
 * kernel compiles there is asked by test/kernels/compile.test.ts.
 */
import { describe, expect, it } from "vitest";
import { networkPresets } from "../../src/experiments/presets.ts";
import { replay, type StepRecord } from "../../src/train/replay.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";
import { compileTiny, D, lossAndGradient, tinyStep, WEIGHTS } from "../train/tinyStep.ts";

const engine = useEngine({ defaultLimits: true, unrollsLoops: false });

describe("on a device with default limits and no features", () => {
  it("a network trains", async () => {
    const preset = networkPresets["tiny-barlow"];
    if (!preset) throw new Error("no preset tiny-barlow");
    const data = { ...preset.data, sampling: { kind: "fixed", pairs: 8 }, side: 8 } as const;
    const config = { ...preset, data, steps: 2, record: { every: 1, logSpaced: 0 } };
    const { records } = await runToEnd(engine(), config, { data: cifarFolder().folder, save: [] });
    expect(records.map(({ loss }) => Number.isFinite(loss))).toEqual([true, true, true]);
  });

  it("a training step runs", async () => {
    const compiled = await compileTiny(engine(), tinyStep({ momentum: 0.9 }));
    const records: StepRecord[] = [];
    try {
      const options = { steps: 1, recordEvery: 1, learningRate: 0.01, spectrumLength: D, ringCapacity: 256 };
      await replay(engine(), compiled, options, (batch) => void records.push(...batch));
    } finally {
      compiled.destroy();
    }
    expect(records.map(({ step }) => step)).toEqual([0, 1]);
    // Exact bounds are those of test/train/sgd.test.ts; here it matters that the numbers are the step's at all.
    expect(records[0]!.loss).toBeCloseTo(lossAndGradient(WEIGHTS, false).loss, 4);
    expect(records[1]!.loss).toBeLessThan(records[0]!.loss);
  });
});
