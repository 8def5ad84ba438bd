/** The float64 theory of the linear model (Simon et al. 2023, arXiv 2303.15438), CPU only. Re-exports. */
export { halfTime, modeEigenvalue, modeSingularValue, staircaseLoss, stepTime, stepWidth } from "./aligned.ts";
export { featureCrossCorrelation } from "./crossCorrelation.ts";
export { type DiscreteOptions, discreteStepTime, discreteTrajectory } from "./discrete.ts";
export { errorExponent, type GapCriterion, gapAdmits, type Misalignment } from "./errorLaw.ts";
export { beliefCeiling, latentPosteriors } from "./hltmBeliefs.ts";
export { enumerateTree, expectation, MAX_ENUMERATED_NODES } from "./hltmEnumeration.ts";
export { cosine, gapDeviation, largestOfNormals, type RankOneLaw, rankOneLaw } from "./hltmLaws.ts";
export {
  asymmetricTree,
  firstChildOf,
  type LatentTree,
  latentCount,
  marginals,
  type NodeRange,
  nodeCount,
  nodesOfLevel,
  parentOf,
  pathPolarity,
  polarityAbove,
  symmetricTree,
  type TreeShape,
} from "./hltmTree.ts";
export { type LinearTheory, type LinearTheoryInput, linearTheory } from "./linearTheory.ts";
export { type InitAmplitudes, initAmplitudes } from "./smallInit.ts";
export { assertStableLearningRate, learningRateBound } from "./stability.ts";
export { measuredStepTimes, relativeErrors } from "./stepTimes.ts";
export { type SymmetricEigen, symmetricEigen } from "./symmetricEigen.ts";
