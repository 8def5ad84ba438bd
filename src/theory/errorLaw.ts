/**
 * How far a small random initialisation is from the aligned solution, and for which modes that leaves a step time predictable.
 * Role: keeps comparisons honest; a fixed tolerance for every data set would be wrong, because convergence depends on spectral gaps.
 *
 * Derivation (extends Simon et al. 2023, arXiv 2303.15438, Result 4.6; positive modes). Let N = Γ^{1/2} WᵀW Γ^{1/2}, which shares its
 * non-zero eigenvalues λ_j with C = W Γ Wᵀ. Gradient flow gives dN/dt = 4 [(N − N²) Γ + Γ (N − N²)], hence exactly
 *
 *   d logit λ_j / dt = 8 u_jᵀ Γ u_j,   u_kᵀ du_j/dt = 4 [(λ_j − λ_j²) + (λ_k − λ_k²)] / (λ_j − λ_k) · u_kᵀ Γ u_j,
 *
 * u_j the unit eigenvectors of N. All deviation from the logistic of mode j is therefore tilt of u_j away from the axis e_j of Γ. With
 * the trapezoidal R of W₀V = QR, the tilt of mode i towards a later mode k starts at θ_ik = √(γ_k/γ_i) R_ik/R_ii, shrinks at rate
 * 4 (γ_i − γ_k)(1 − λ_i), and freezes when λ_i saturates; as ∫₀^∞ (1 − λ_i) dt = τ_i, it freezes at
 *
 *   θ_ik² = (γ_k/γ_i) (R_ik/R_ii)² e^{−8(γ_i − γ_k) τ_i}.
 *
 * (a) In W the tilt is a row of size R_ik e^{4γ_k τ_i} ~ α^{1 − γ_k/γ_i}: the error law. (b) To first order in θ², integrating logit λ_j:
 *
 *   |δ logit λ_j(τ_j)| ≤ ε_j = Σ_{k>j} θ_jk² + Σ_{i<j} θ_ij² (1 + 8 (γ_i − γ_j)(τ_j − τ_i)),   δτ_j = δ logit λ_j / (8 γ_j).
 *
 * The first sum is contamination by later modes, the first unlearned ones included; the second is the late separation from predecessors,
 * which keep mode j tilted towards a faster axis. Both use e^{...} of the gaps, so close neighbours are never admitted.
 */
import { modeEigenvalue, stepTime } from "./aligned.ts";
import { checkAbove, checkCount, checkFinite, checkLength } from "./inputChecks.ts";

/** Squared misalignment assumed per unknown entry of R, in units of its estimated variance: the 95 % point of χ²₁ is 3.84. */
const UNKNOWN_ENTRY_QUANTILE = 4;

/**
 * Exponent p of the error law  sup_t ‖W(t) − W*(t)‖_F ~ α^p  as the scale α of the initial weight tends to 0:
 *
 *   p = 1 − max_{j ≤ d, γ_j > 0} γ_{j+1}/γ_j   (a ratio below 0, or a mode that does not exist, counts as 0).
 *
 * The slowest gap decides, wherever it lies; p = 1 − γ_{d+1}/γ_d when that ratio is the largest, as in a geometric spectrum.
 *
 * @param gammas eigenvalues of Γ, descending, at least d (pass d + 1 when they exist).
 * @param d      embedding dimension, ≥ 1.
 * @returns      p in [0, 1].
 * @throws EngineError THEORY-SHAPE, THEORY-NONFINITE.
 * Source        derivation (a) in the file header.
 */
export function errorExponent(gammas: ArrayLike<number>, d: number): number {
  checkCount("d", d, 1);
  checkLength("gammas", gammas, d);
  checkFinite("gammas", gammas);
  let largestRatio = 0;
  for (let j = 0; j < d; j++) {
    const gamma = gammas[j] as number;
    const next = j + 1 < gammas.length ? (gammas[j + 1] as number) : 0;
    if (gamma > 0 && next > 0) largestRatio = Math.max(largestRatio, next / gamma);
  }
  return 1 - largestRatio;
}

/** Off-diagonal entries of R, when known: they sharpen the estimate from "a typical draw" to "this draw". */
export interface Misalignment {
  /** R of `initAmplitudes`, [d, columns] row-major. */
  readonly r: ArrayLike<number>;
  readonly columns: number;
  /** Mean squared entry of W₀V in the columns beyond `columns`; estimated from the amplitudes when absent. */
  readonly tailVariance?: number | undefined;
}

export interface GapCriterion {
  /** True where the predicted step time may be held to the tolerance. [d] */
  readonly admitted: boolean[];
  /** Estimated bound on |measured τ_j − τ_j| / τ_j; Infinity where the first-order estimate does not apply or the mode never steps. [d] */
  readonly estimatedRelativeError: number[];
}

/**
 * Which step times does the spectrum allow to be predicted to a relative tolerance?
 *
 *   estimate_j = (ε_j / (1 − ε_j) − ln(1 − λ_j(0))) / (8 γ_j τ_j),   admitted_j = estimate_j ≤ tolerance,
 *
 * ε_j as in the file header, with two non-perturbative guards: each θ_ik² is divided by (1 − ρ)², ρ = λ_k(τ_i)/(1/2) being how nearly mode
 * k has caught up when mode i steps (level repulsion; ρ ≥ 1 gives Infinity), and 1/(1 − ε) stands for the higher orders. The last term
 * is the difference of τ_j from the exact half-time. Covers initialisation only; the learning rate is `discreteStepTime`'s matter.
 * Without `misalignment`, entries of R are taken at 4 × the variance estimated from the amplitudes (E R_jj² = (d − j) σ², j from 0).
 *
 * @param input gammas: eigenvalues of Γ, descending, at least d, the more the better (later ones contaminate);
 *              amplitudes: R_jj, at least d; d: embedding dimension; tolerance: relative, > 0; misalignment: optional R.
 * @throws EngineError THEORY-SHAPE, THEORY-NONFINITE, THEORY-RANGE.
 * Source       derivation (b) in the file header; checked on random problems in test/theory/gapAdmits.test.ts.
 */
export function gapAdmits(input: {
  readonly gammas: ArrayLike<number>;
  readonly amplitudes: ArrayLike<number>;
  readonly d: number;
  readonly tolerance: number;
  readonly misalignment?: Misalignment | undefined;
}): GapCriterion {
  const { gammas, amplitudes, d, tolerance, misalignment } = input;
  checkCount("d", d, 1);
  checkLength("gammas", gammas, d);
  checkLength("amplitudes", amplitudes, d);
  checkFinite("gammas", gammas);
  checkFinite("amplitudes", amplitudes, d);
  checkAbove("tolerance", tolerance, 0);
  if (misalignment !== undefined) {
    checkCount("misalignment.columns", misalignment.columns, d);
    checkLength("misalignment.r", misalignment.r, d * misalignment.columns);
    checkFinite("misalignment.r", misalignment.r);
  }
  const squaredEntry = entrySquares(amplitudes, d, misalignment);
  const taus = Array.from({ length: d }, (_, j) => stepTime(gammas[j] as number, amplitudes[j] as number));

  const estimatedRelativeError = taus.map((tau, j) => {
    const gamma = gammas[j] as number;
    const lambda0 = gamma * (amplitudes[j] as number) ** 2;
    if (!(tau > 0) || !Number.isFinite(tau) || lambda0 >= 1) return Number.POSITIVE_INFINITY;
    let epsilon = 0;
    for (let k = j + 1; k < gammas.length; k++) epsilon += squaredTilt(gammas, amplitudes, taus, d, j, k, squaredEntry);
    for (let i = 0; i < j; i++) {
      const dragged = 8 * ((gammas[i] as number) - gamma) * (tau - (taus[i] as number));
      epsilon += squaredTilt(gammas, amplitudes, taus, d, i, j, squaredEntry) * (1 + Math.max(0, dragged));
    }
    if (!(epsilon < 1)) return Number.POSITIVE_INFINITY;
    return (epsilon / (1 - epsilon) - Math.log1p(-lambda0)) / (8 * gamma * tau);
  });
  return { admitted: estimatedRelativeError.map((e) => e <= tolerance), estimatedRelativeError };
}

/** θ_ik², guarded against level repulsion; i < k, i among the d modes and with γ_i > 0. */
function squaredTilt(
  gammas: ArrayLike<number>,
  amplitudes: ArrayLike<number>,
  taus: readonly number[],
  d: number,
  i: number,
  k: number,
  squaredEntry: (i: number, k: number) => number,
): number {
  const gammaI = gammas[i] as number;
  const gammaK = gammas[k] as number;
  const tau = Math.max(0, taus[i] as number);
  if (!Number.isFinite(tau)) return Number.POSITIVE_INFINITY;
  // |γ_k|: a negative mode tilts C just so at t = 0 and then decays, which the exponential already says.
  const start = ((Math.abs(gammaK) / gammaI) * squaredEntry(i, k)) / (amplitudes[i] as number) ** 2;
  const frozen = start * Math.exp(-8 * (gammaI - gammaK) * tau);
  if (k >= d || gammaK <= 0) return frozen;
  const closeness = 2 * modeEigenvalue(gammaK, amplitudes[k] as number, tau);
  return closeness >= 1 ? Number.POSITIVE_INFINITY : frozen / (1 - closeness) ** 2;
}

/** R_ik² where R is known, else its assumed size. */
function entrySquares(
  amplitudes: ArrayLike<number>,
  d: number,
  misalignment: Misalignment | undefined,
): (i: number, k: number) => number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += (amplitudes[j] as number) ** 2;
  // Σ_j E R_jj² = σ² (d + (d − 1) + … + 1) for Gaussian W₀.
  const variance = sum / ((d * (d + 1)) / 2);
  if (misalignment === undefined) return () => UNKNOWN_ENTRY_QUANTILE * variance;
  const { r, columns, tailVariance } = misalignment;
  const beyond = tailVariance ?? UNKNOWN_ENTRY_QUANTILE * variance;
  return (i, k) => (k < columns ? (r[i * columns + k] as number) ** 2 : beyond);
}
