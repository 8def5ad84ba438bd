/**
 * Everything the theory says about one linear run, from its views and its initial weight: the object stored under `theory`.
 * Role: the single entry point of experiments into this folder; it composes the other files and adds no formula of its own.
 */
import { halfTime, stepTime } from "./aligned.ts";
import { featureCrossCorrelation } from "./crossCorrelation.ts";
import { discreteStepTime } from "./discrete.ts";
import { errorExponent, gapAdmits } from "./errorLaw.ts";
import { initAmplitudes } from "./smallInit.ts";
import { learningRateBound } from "./stability.ts";
import { symmetricEigen } from "./symmetricEigen.ts";

/** Eigenvectors taken beyond d: their columns of R are known exactly in the gap criterion, the rest enters by its mean. */
const EXTRA_VECTORS = 8;
/** Relative error asked of a step time by default. */
const DEFAULT_TOLERANCE = 0.02;

export interface LinearTheoryInput {
  /** First and second views, [n, m] row-major. */
  readonly viewsA: Float32Array | Float64Array;
  readonly viewsB: Float32Array | Float64Array;
  /** The actual initial weight, scale included, [d, m] row-major. */
  readonly weights0: Float32Array | Float64Array;
  readonly n: number;
  readonly m: number;
  readonly d: number;
  readonly learningRate: number;
  /** Heavy-ball momentum, 0 by default. */
  readonly momentum?: number | undefined;
  /** Relative tolerance of `gapAdmits`, 0.02 by default. */
  readonly tolerance?: number | undefined;
}

/** Plain JSON; null stands for "never". Times are in t = learning rate × step / (1 − momentum), modes in descending order of γ. */
export interface LinearTheory {
  /** Leading min(m, d + 1) eigenvalues of Γ, descending. */
  readonly gamma: number[];
  readonly gamma1: number;
  /** Positive eigenvalues among the first d: the number of steps the loss will take; it ends near d − positiveModes. */
  readonly positiveModes: number;
  /** s_j(0) = R_jj. [d] */
  readonly amplitudes: number[];
  /** τ_j = −ln(s_j(0)² γ_j)/(8γ_j), gradient flow (the paper's critical time). [d] */
  readonly stepTimes: (number | null)[];
  /** Exact half-times of gradient flow. [d] */
  readonly halfTimes: (number | null)[];
  /** Crossing of 1/2 by gradient descent with this learning rate and momentum. [d] */
  readonly discreteStepTimes: (number | null)[];
  /** 1/(4γ₁), plain gradient descent; null when γ₁ ≤ 0. */
  readonly learningRateBound: number | null;
  readonly tolerance: number;
  /** Whether mode j may be held to the tolerance. [d] */
  readonly gapAdmits: boolean[];
  readonly estimatedRelativeError: (number | null)[];
  /** p of sup_t ‖W − W*‖ ~ α^p. */
  readonly errorExponent: number;
}

/**
 * Predicts a linear Barlow Twins run before it starts.
 *
 * Γ → eigenpairs → QR amplitudes → step times (gradient flow and gradient descent), stability bound, gap criterion. Cost is dominated by
 * Γ (n m² multiply-adds) and its tridiagonalisation (4/3 m³ flops): 3 to 4 s at n = 500, m = 1200. The learning rate is not refused
 * here, so that a forced run still gets its theory; see `assertStableLearningRate`.
 *
 * @throws EngineError THEORY-SHAPE (also d > m), THEORY-NONFINITE, THEORY-RANGE, THEORY-EIGEN.
 * Source  Simon et al. 2023 (arXiv 2303.15438), Prop. 4.1 and Result 4.6.
 */
export function linearTheory(input: LinearTheoryInput): LinearTheory {
  const { n, m, d, learningRate, momentum } = input;
  const tolerance = input.tolerance ?? DEFAULT_TOLERANCE;
  const crossCorrelation = featureCrossCorrelation(input.viewsA, input.viewsB, { n, m });
  const { values, vectors } = symmetricEigen(crossCorrelation, m, { count: Math.min(m, d + EXTRA_VECTORS) });
  const { amplitudes, r, columns } = initAmplitudes(input.weights0, vectors, { d, m });
  const criterion = gapAdmits({
    gammas: values,
    amplitudes,
    d,
    tolerance,
    misalignment: { r, columns, tailVariance: tailVariance(input.weights0, r, d * (m - columns)) },
  });
  const gamma = Array.from(values.subarray(0, Math.min(m, d + 1)));
  const gamma1 = values[0] as number;
  const perMode = (f: (gamma: number, amplitude: number) => number): (number | null)[] =>
    Array.from(amplitudes, (amplitude, j) => finiteOrNull(f(gamma[j] as number, amplitude)));

  return {
    gamma,
    gamma1,
    positiveModes: gamma.slice(0, d).filter((g) => g > 0).length,
    amplitudes: Array.from(amplitudes),
    stepTimes: perMode(stepTime),
    halfTimes: perMode(halfTime),
    discreteStepTimes: perMode((g, amplitude) => discreteStepTime(g, amplitude, learningRate, { momentum })),
    learningRateBound: finiteOrNull(learningRateBound(gamma1)),
    tolerance,
    gapAdmits: criterion.admitted,
    estimatedRelativeError: criterion.estimatedRelativeError.map(finiteOrNull),
    errorExponent: errorExponent(values, d),
  };
}

/** Mean squared entry of W₀V outside the known columns: rotations keep ‖W₀‖_F, so the rest of the norm lies there. */
function tailVariance(w0: Float32Array | Float64Array, r: Float64Array, entries: number): number {
  if (entries === 0) return 0;
  let total = 0;
  for (const w of w0) total += w * w;
  for (const x of r) total -= x * x;
  return Math.max(0, total) / entries;
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
