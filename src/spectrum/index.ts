/** Public surface of `eigenstep/spectrum`: from recorded eigenvalues and losses to statements, on the CPU in float64. Re-exports only. */
export {
  bimodalityCoefficient,
  type SpectrumBimodality,
  spectrumBimodality,
  type TwoClassSplit,
  twoClassVariance,
} from "./bimodality.ts";
export { type LossPeak, type LossPeakOptions, type LossPeaks, lossPeaks, PEAK_RULE } from "./lossPeaks.ts";
export { effectiveRank, participationRatio, rankMe, stableRank } from "./ranks.ts";
export {
  type DetectedMode,
  detectSteps,
  STEP_RULE,
  type StepDetection,
  type StepDetectionOptions,
} from "./stepDetection.ts";
