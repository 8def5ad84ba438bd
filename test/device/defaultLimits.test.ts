/** What every WebGPU device has is enough: 8 storage buffers, 16 KiB of workgroup memory, 128 MiB bindings, no features. */
import { describe, expect, it } from "vitest";
import { networkPresets } from "../../src/experiments/presets.ts";
import { buildKernel } from "../../src/kernels/kernel.ts";
import { library } from "../../src/kernels/registry.ts";
import { replay, type StepRecord } from "../../src/train/replay.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { lacksFeatures } from "../support/features.ts";
import { runToEnd } from "../support/runs.ts";
import { compileTiny, D, lossAndGradient, tinyStep, WEIGHTS } from "../train/tinyStep.ts";

const engine = useEngine({ defaultLimits: true });

describe("on a device with default limits and no features", () => {
  it.each(Object.entries(library))("%s compiles, unless it enables a feature", async (_name, kernel) => {
    expect(engine().adapter.limits.maxStorageBuffersPerShaderStage).toBe(8);
    const storage = Object.values(kernel.shader.bindings).filter(({ type }) => type !== "uniform");
    expect(storage.length).toBeLessThanOrEqual(8);
    const built = buildKernel(engine(), kernel);
    // Each such kernel has a plain one beside it, which gives the same bits.
    if (lacksFeatures(engine(), kernel)) await expect(built).rejects.toMatchObject({ code: "KERNEL-FEATURE" });
    else await built;
  });

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
