/** The golden training step on our engine, as `eigenstep train` runs it: planned once, replayed. */
import { type Plan, planTotals } from "../../autodiff/plan.ts";
import type { Engine } from "../../device/engine.ts";
import { replay } from "../../train/replay.ts";
import { compileTrainingStep, planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { type GoldenStepOptions, goldenStep, goldenValues } from "./goldenStep.ts";
import type { PreparedStep, StepWork } from "./peerContract.ts";

/** Floating-point operations of one update, from our plan. */
export function goldenFlops(engine: Engine, work: StepWork): number {
  const plan = planTrainingStep(goldenStep(work, { spectrum: false }), targetOf(engine.adapter));
  return planTotals(plan, ["update"]).flops;
}

export interface OwnStep extends PreparedStep {
  readonly plan: Plan;
}

export async function prepareGoldenStep(engine: Engine, work: StepWork, options: GoldenStepOptions): Promise<OwnStep> {
  const step = goldenStep(work, options);
  const plan = planTrainingStep(step, targetOf(engine.adapter));
  const compiled = await compileTrainingStep(engine, plan, {});
  const { images, parameters } = goldenValues(step, work);
  compiled.write("images", images);
  compiled.write("parameters", parameters);
  return {
    plan,
    async run(steps, onLoss, signal) {
      const options = {
        steps,
        recordEvery: 1,
        recordLast: false,
        learningRate: work.learningRate,
        spectrumLength: step.spectrumLength,
        ringCapacity: step.ringCapacity,
        stepsPerSubmit: 1,
        signal,
      };
      await replay(engine, compiled, options, (records) => {
        for (const { loss } of records) onLoss(loss);
      });
    },
    reportedGpuBytes: () => planTotals(plan).peakBytes,
    release: () => compiled.destroy(),
  };
}
