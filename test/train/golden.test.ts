import { describe, expect, it } from "vitest";
import { planTotals } from "../../src/autodiff/plan.ts";
import { goldenStep, goldenValues } from "../../src/cli/bench/goldenStep.ts";
import { GOLDEN_LOSSES, GOLDEN_TOLERANCE, goldenWork } from "../../src/cli/bench/goldenWork.ts";
import { replay } from "../../src/train/replay.ts";
import { compileTrainingStep, dispatchCounts, planTrainingStep, targetOf } from "../../src/train/trainingStep.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

describe("the golden training step", () => {
  it("gives the losses that two other engines agree on, in few dispatches and without a new object", async () => {
    const work = goldenWork();
    const step = goldenStep(work, { spectrum: true });
    const plan = planTrainingStep(step, targetOf(true));
    const compiled = await compileTrainingStep(engine(), plan, {});
    try {
      expect(engine().memory.bytes).toBe(planTotals(plan).peakBytes);
      const { images, parameters } = goldenValues(step, work);
      compiled.write("images", images);
      compiled.write("parameters", parameters);
      const losses: number[] = [];
      const result = await replay(
        engine(),
        compiled,
        {
          steps: GOLDEN_LOSSES.length - 1,
          recordEvery: 1,
          learningRate: work.learningRate,
          spectrumLength: step.spectrumLength,
          ringCapacity: step.ringCapacity,
        },
        (records) => {
          losses.push(...records.map(({ loss }) => loss));
        },
      );
      losses.forEach((loss, index) => {
        expect(Math.abs(loss - GOLDEN_LOSSES[index]!), `loss ${index} is ${loss}`).toBeLessThanOrEqual(
          GOLDEN_TOLERANCE,
        );
      });
      expect(losses).toHaveLength(GOLDEN_LOSSES.length);
      expect([result.objectsCreated, result.buffersWritten]).toEqual([0, 0]);
      expect(dispatchCounts(plan).withoutRecord).toBeLessThanOrEqual(120);
      expect(planTotals(plan, ["update"]).flops).toBeGreaterThan(2e9);
    } finally {
      compiled.destroy();
    }
  });
});
