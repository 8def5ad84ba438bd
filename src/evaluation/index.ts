/** Evaluation of frozen features: linear probe, k nearest neighbours. Re-exports only. */
export {
  calibratedStatistics,
  type Encoded,
  encodeImages,
  pixelFeatures,
  type TrainedModel,
  type WholeView,
} from "./encodeImages.ts";
export {
  type Accuracy,
  accuracyOf,
  type FeatureSplits,
  type LabelledFeatures,
  standardized,
} from "./features.ts";
export { firstParameters } from "./firstParameters.ts";
export { linearProbe, type ProbeOptions, type ProbeResult } from "./linearProbe.ts";
export { type NeighborOptions, type NeighborResult, nearestNeighbors } from "./nearestNeighbors.ts";
