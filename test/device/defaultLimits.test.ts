/** What every WebGPU device has is enough: 8 storage buffers, 16 KiB of workgroup memory, 128 MiB bindings, no features. */
import { describe, expect, it } from "vitest";
import { buildKernel } from "../../src/kernels/kernel.ts";
import { library } from "../../src/kernels/registry.ts";
import { replay, type StepRecord } from "../../src/train/replay.ts";
import { useEngine } from "../support/device.ts";
import { compileTiny, D, lossAndGradient, tinyStep, WEIGHTS } from "../train/tinyStep.ts";

const engine = useEngine({ defaultLimits: true });

describe("on a device with default limits and no features", () => {
  it.each(Object.entries(library))("%s compiles", async (_name, kernel) => {
    expect(engine().adapter.limits.maxStorageBuffersPerShaderStage).toBe(8);
    const storage = Object.values(kernel.shader.bindings).filter(({ type }) => type !== "uniform");
    expect(storage.length).toBeLessThanOrEqual(8);
    await buildKernel(engine(), kernel);
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
