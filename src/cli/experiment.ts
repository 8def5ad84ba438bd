/** The one place where the command meets the experiments: tests build the command with a double of this file. */
export type { PlanDocument } from "../experiments/describePlan.ts";
export { describePlan, runExperiment } from "../experiments/experiments.ts";
export { presets } from "../experiments/presets.ts";
