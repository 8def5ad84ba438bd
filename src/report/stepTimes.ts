/** Theory and measured step times of a linear run, read from the plain JSON of its summary. */
import { z } from "zod";

const times = z.array(z.number().nullable());
const theorySchema = z.object({
  gamma: z.array(z.number()),
  stepTimes: times,
  discreteStepTimes: times,
  gapAdmits: z.array(z.boolean()).optional(),
  amplitudes: z.array(z.number()).optional(),
  tolerance: z.number().optional(),
});
const measuredSchema = z.object({ stepTimes: times });

export interface StepTimes {
  readonly gamma: readonly number[];
  readonly flow: readonly (number | null)[];
  readonly discrete: readonly (number | null)[];
  readonly measured: readonly (number | null)[];
  /** Whether the eigenvalue gap lets the theory speak about this mode. */
  readonly admitted: readonly boolean[];
  /** Relative error up to which a mode is admitted. */
  readonly tolerance?: number | undefined;
  /** s_j(0) of every mode; what the theory's curves need besides γ. */
  readonly amplitudes?: readonly number[] | undefined;
}

/** The step times in a run's result, or undefined for an experiment that has none. */
export function stepTimesOf(theory: unknown, measured: unknown): StepTimes | undefined {
  const predicted = theorySchema.safeParse(theory);
  const seen = measuredSchema.safeParse(measured);
  if (!predicted.success || !seen.success) return undefined;
  const { gamma, stepTimes, discreteStepTimes, gapAdmits, amplitudes, tolerance } = predicted.data;
  return {
    gamma,
    flow: stepTimes,
    discrete: discreteStepTimes,
    measured: seen.data.stepTimes,
    admitted: discreteStepTimes.map((_, index) => gapAdmits?.[index] ?? true),
    tolerance,
    amplitudes,
  };
}

/** Error of a measured step time against the predicted one, or null when either is missing. */
export function relativeError(steps: StepTimes, mode: number): number | null {
  const discrete = steps.discrete[mode];
  const measured = steps.measured[mode];
  return discrete && measured ? measured / discrete - 1 : null;
}
