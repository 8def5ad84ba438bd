/** How many dimensions a spectrum fills, in the definitions in use. Each is 0 for a spectrum of zeros. */
import { checkFinite, checkOption } from "./inputChecks.ts";

/** Rounding leaves eigenvalues of a covariance slightly below zero; they count as zero. */
function nonNegative(name: string, values: ArrayLike<number>): number[] {
  checkFinite(name, values);
  return Array.from(values, (value) => Math.max(value, 0));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const exponentialEntropy = (shares: readonly number[]): number =>
  Math.exp(-sum(shares.map((p) => (p > 0 ? p * Math.log(p) : 0))));

/**
 * Effective rank exp(−Σ p ln p), p = λ/Σλ; between 1 and the number of eigenvalues.
 *
 * @param eigenvalues of a covariance
 * @throws EngineError DATA-NONFINITE
 * Source: Roy & Vetterli 2007, of eigenvalues
 */
export function effectiveRank(eigenvalues: ArrayLike<number>): number {
  const values = nonNegative("eigenvalues", eigenvalues);
  const total = sum(values);
  return total === 0 ? 0 : exponentialEntropy(values.map((value) => value / total));
}

/**
 * Participation ratio (Σλ)²/Σλ²; between 1 and the number of eigenvalues, at most the effective rank.
 *
 * @param eigenvalues of a covariance
 * @throws EngineError DATA-NONFINITE
 */
export function participationRatio(eigenvalues: ArrayLike<number>): number {
  const values = nonNegative("eigenvalues", eigenvalues);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  if (largest === 0) return 0;
  // Relative to the largest, so that squares neither overflow nor vanish.
  const shares = values.map((value) => value / largest);
  return sum(shares) ** 2 / sum(shares.map((share) => share * share));
}

/**
 * RankMe exp(−Σ p ln p), p_k = σ_k/Σσ + epsilon.
 *
 * @param singularValues of the uncentred embeddings [N, d]: not eigenvalues of a covariance
 * @param epsilon        1e-7 unless given; 1e-5 and 1e-12 are in use elsewhere
 * @throws EngineError DATA-NONFINITE, CONFIG-VALUE
 * Source: Garrido, Balestriero, Najman & LeCun 2023 (arXiv 2210.02885), eq. 2
 */
export function rankMe(singularValues: ArrayLike<number>, epsilon = 1e-7): number {
  checkOption("rankMe", "epsilon", epsilon, 0, 1);
  const values = nonNegative("singularValues", singularValues);
  const total = sum(values);
  return total === 0 ? 0 : exponentialEntropy(values.map((value) => value / total + epsilon));
}

/**
 * Stable (numerical) rank Σσ²/σ₁² = ‖A‖_F²/‖A‖₂²; at most the rank.
 *
 * @param singularValues in any order
 * @throws EngineError DATA-NONFINITE
 * Source: Rudelson & Vershynin 2007
 */
export function stableRank(singularValues: ArrayLike<number>): number {
  const values = nonNegative("singularValues", singularValues);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  return largest === 0 ? 0 : sum(values.map((value) => (value / largest) ** 2));
}
