/** The table of predicted and measured step times, read from the plain JSON of a run's theory and measurements. */
import { z } from "zod";
import { alignColumns, formatNumber, formatPercent } from "./format.ts";

const times = z.array(z.number().nullable());
const theorySchema = z.object({
  gamma: z.array(z.number()),
  stepTimes: times,
  discreteStepTimes: times,
  gapAdmits: z.array(z.boolean()).optional(),
});
const measuredSchema = z.object({ stepTimes: times });

export interface StepTimes {
  readonly gamma: readonly number[];
  readonly flow: readonly (number | null)[];
  readonly discrete: readonly (number | null)[];
  readonly measured: readonly (number | null)[];
  /** Whether the eigenvalue gap lets the theory speak about this mode. */
  readonly admitted: readonly boolean[];
}

/** The step times in a run's result, or undefined for an experiment that has none. */
export function stepTimesOf(theory: unknown, measured: unknown): StepTimes | undefined {
  const predicted = theorySchema.safeParse(theory);
  const seen = measuredSchema.safeParse(measured);
  if (!predicted.success || !seen.success) return undefined;
  const { gamma, stepTimes, discreteStepTimes, gapAdmits } = predicted.data;
  return {
    gamma,
    flow: stepTimes,
    discrete: discreteStepTimes,
    measured: seen.data.stepTimes,
    admitted: discreteStepTimes.map((_, index) => gapAdmits?.[index] ?? true),
  };
}

/** Lines of the table, a legend below. `t = lr·step`. */
export function stepTable(steps: StepTimes): string[] {
  const rows = steps.discrete.map((discrete, index) => {
    const measured = steps.measured[index];
    const error = discrete && measured ? measured / discrete - 1 : null;
    return [
      String(index + 1),
      formatNumber(steps.gamma[index], 4),
      formatNumber(steps.flow[index], 5),
      formatNumber(discrete, 5),
      measured === null || measured === undefined ? "not yet" : formatNumber(measured, 5),
      formatPercent(error),
      steps.admitted[index] ? "" : "~",
    ];
  });
  const header = ["mode", "eigenvalue of Γ", "gradient flow", "discrete", "measured", "error", ""];
  const legend = ["times in t = lr·step; error of measured against discrete"];
  if (steps.admitted.includes(false))
    legend.push("~ close to its neighbour: the theory's small-init limit does not bind this mode");
  return [...alignColumns([header, ...rows]), "", ...legend];
}
