/** Whether a spectrum falls into two groups, learned and near zero: section 6 of the staircase settings. */
import { EngineError } from "../errors.ts";
import { checkFinite } from "./inputChecks.ts";

/**
 * Bimodality coefficient (g² + 1)/(k + 3(n − 1)²/((n − 2)(n − 3))) with bias-corrected sample skewness g and excess kurtosis k. 5/9 for a
 * uniform distribution; above it suggests two groups, which a long tail does too: report `twoClassVariance` beside it.
 *
 * @param values at least 4, not all equal (NaN when they are)
 * @throws EngineError DATA-TOO-FEW, DATA-NONFINITE
 * Source: SAS Institute 1990, SAS/STAT User's Guide, CLUSTER; Pfister et al. 2013
 */
export function bimodalityCoefficient(values: ArrayLike<number>): number {
  requireSamples("bimodalityCoefficient", values, 4);
  const n = values.length;
  const list = Array.from(values);
  const mean = list.reduce((sum, x) => sum + x, 0) / n;
  const moment = (power: number): number => list.reduce((sum, x) => sum + (x - mean) ** power, 0) / n;
  const variance = moment(2);
  const skewness = (moment(3) / variance ** 1.5) * (Math.sqrt(n * (n - 1)) / (n - 2));
  const excess = moment(4) / variance ** 2 - 3;
  const kurtosis = ((n - 1) / ((n - 2) * (n - 3))) * ((n + 1) * excess + 6);
  return (skewness ** 2 + 1) / (kurtosis + (3 * (n - 1) ** 2) / ((n - 2) * (n - 3)));
}

export interface TwoClassSplit {
  /**
   * Share of the variance that lies between the two groups, 0 … 1; 0.64 for a normal, 0.75 for a uniform distribution. NaN when all are
   * equal.
   */
  readonly explained: number;
  /** Members of the upper group. */
  readonly upper: number;
  /** Middle between the groups. */
  readonly threshold: number;
}

/**
 * The split of sorted values into two groups that explains most of their variance (Otsu's criterion, over all splits).
 *
 * @param values at least 2
 * @throws EngineError DATA-TOO-FEW, DATA-NONFINITE
 * Source: Otsu 1979
 */
export function twoClassVariance(values: ArrayLike<number>): TwoClassSplit {
  requireSamples("twoClassVariance", values, 2);
  const sorted = Float64Array.from(values).sort().reverse();
  const n = sorted.length;
  const mean = sorted.reduce((sum, x) => sum + x, 0) / n;
  const total = sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  let best: TwoClassSplit = { explained: Number.NaN, upper: 0, threshold: Number.NaN };
  let sum = 0;
  for (let upper = 1; upper < n; upper++) {
    const [inside, outside] = [sorted[upper - 1] ?? 0, sorted[upper] ?? 0];
    sum += inside - mean;
    // Between-group sum of squares: the upper group's deviation from the mean is the lower group's, with the other sign.
    const explained = (sum * sum * (1 / upper + 1 / (n - upper))) / total;
    if (best.upper === 0 || explained > best.explained) best = { explained, upper, threshold: (inside + outside) / 2 };
  }
  return best;
}

export interface SpectrumBimodality {
  readonly coefficient: number;
  readonly split: TwoClassSplit;
  /** Eigenvalues that are not positive, and so have no logarithm: left out. */
  readonly omitted: number;
}

/**
 * Bimodality of log₁₀ of the eigenvalues.
 *
 * @throws EngineError DATA-TOO-FEW (fewer than 4 positive), DATA-NONFINITE
 */
export function spectrumBimodality(eigenvalues: ArrayLike<number>): SpectrumBimodality {
  checkFinite("eigenvalues", eigenvalues);
  const logarithms = Array.from(eigenvalues).flatMap((value) => (value > 0 ? [Math.log10(value)] : []));
  return {
    coefficient: bimodalityCoefficient(logarithms),
    split: twoClassVariance(logarithms),
    omitted: eigenvalues.length - logarithms.length,
  };
}

function requireSamples(where: string, values: ArrayLike<number>, least: number): void {
  if (values.length < least) {
    throw new EngineError({
      code: "DATA-TOO-FEW",
      message: `${where}: ${values.length} values, but at least ${least} are needed`,
      fix: "Pass the spectrum of a wider layer.",
      where,
      detail: { count: values.length, least },
    });
  }
  checkFinite("values", values);
}
