/** The one place where the command meets the experiments: tests build the command with a double of this file. */
export { describePlan, type PlanDocument } from "../experiments/describePlan.ts";
export { presets } from "../experiments/presets.ts";
export { runExperiment } from "../experiments/runLinear.ts";
