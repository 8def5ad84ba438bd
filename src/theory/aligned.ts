/**
 * The aligned solution of the linear model: each mode alone, in closed form, for any sign of its eigenvalue and any time.
 * Role: the curves drawn beside a run, and the step times read off them.
 *
 * With W(0) = U S(0) Vᵀ (V the top eigenvectors of Γ), gradient flow dW/dt = −4 (W Γ Wᵀ − I) W Γ keeps U and V, and each
 * singular value obeys ds/dt = 4 γ s (1 − γ s²). Its eigenvalue λ = γ s² of C = W Γ Wᵀ is then an exact logistic curve
 * of rate 8γ. Time t is learning rate × step, in units of 1/γ. Source: Simon et al. 2023 (arXiv 2303.15438), Prop. 4.1.
 */
import { checkAbove, checkCount, checkFinite, checkLength } from "./inputChecks.ts";

/** Below this both terms of the usual denominator have lost bits to underflow, and the logarithmic form takes over. */
const UNDERFLOW = 1e-290;

/**
 * Singular value s(t) of one mode:  s² = 1 / (γ + (s₀⁻² − γ) e^{−8γt}).
 *
 * Evaluated as s₀ / √(E + γ s₀² (1 − E)), E = e^{−8γt}, for γ > 0 and with numerator and denominator multiplied by e^{4γt} for
 * γ ≤ 0: no exponential can overflow and both terms are ≥ 0, so nothing cancels. s(0) = s₀ exactly; γ > 0 tends to γ^{−1/2},
 * γ = 0 stays, γ < 0 tends to 0.
 *
 * @param gamma eigenvalue of Γ, any sign.
 * @param s0    initial singular value, ≥ 0 (0 stays 0).
 * @param t     time, ≥ 0, in units of 1/γ.
 * @throws EngineError THEORY-RANGE when an argument is not finite, or s0 or t is negative.
 * Source       Simon et al. 2023, Prop. 4.1.
 */
export function modeSingularValue(gamma: number, s0: number, t: number): number {
  checkMode(gamma, s0);
  checkAbove("t", t, 0, true);
  if (s0 === 0) return 0;
  const lambda0 = gamma * s0 * s0;
  if (gamma <= 0) {
    return (s0 * Math.exp(4 * gamma * t)) / Math.sqrt(1 + lambda0 * Math.expm1(8 * gamma * t));
  }
  const exponent = 8 * gamma * t;
  const denominator = Math.exp(-exponent) - lambda0 * Math.expm1(-exponent);
  if (denominator > UNDERFLOW) return s0 / Math.sqrt(denominator);
  // Here λ₀ is below 1e-290, so 1 − λ₀ is 1 and s₀⁻² e^{−8γt} is taken through its logarithm.
  return 1 / Math.sqrt(gamma + Math.exp(-2 * Math.log(s0) - exponent));
}

/**
 * Eigenvalue λ(t) = γ s(t)² of the embedding cross-correlation C; equals 1 / (1 + (1/λ₀ − 1) e^{−8γt}) for γ > 0.
 * Parameters and errors as `modeSingularValue`. Dimensionless; negative for γ < 0.
 * Source: Simon et al. 2023, Prop. 4.1, squared.
 */
export function modeEigenvalue(gamma: number, s0: number, t: number): number {
  const s = modeSingularValue(gamma, s0, t);
  return gamma * s * s;
}

/**
 * Step time of the small-initialisation approximation:  τ = −ln(s₀² γ) / (8γ).
 *
 * @returns τ in units of t; Infinity for γ ≤ 0 or s₀ = 0 (never learned); negative when λ₀ = γ s₀² > 1 (the formula's own value).
 * @throws EngineError THEORY-RANGE when an argument is not finite or s0 is negative.
 * Source   Simon et al. 2023, section 4 (critical time). It differs from `halfTime` by ln(1 − λ₀)/(8γ).
 */
export function stepTime(gamma: number, s0: number): number {
  checkMode(gamma, s0);
  if (gamma <= 0 || s0 === 0) return Number.POSITIVE_INFINITY;
  // Two logarithms instead of ln(s₀² γ): s₀² may underflow.
  return -(2 * Math.log(s0) + Math.log(gamma)) / (8 * gamma);
}

/**
 * Exact time at which λ(t) reaches 1/2:  ln(1/λ₀ − 1) / (8γ).
 *
 * @returns 0 when λ₀ ≥ 1/2 (the mode starts learned); Infinity for γ ≤ 0 or s₀ = 0.
 * @throws EngineError THEORY-RANGE as `stepTime`.
 * Source   the logistic form of Simon et al. 2023, Prop. 4.1, solved for λ = 1/2.
 */
export function halfTime(gamma: number, s0: number): number {
  const tau = stepTime(gamma, s0);
  if (tau === Number.POSITIVE_INFINITY) return tau;
  const lambda0 = gamma * s0 * s0;
  return lambda0 >= 0.5 ? 0 : tau + Math.log1p(-lambda0) / (8 * gamma);
}

/**
 * Width of a step, from λ = 0.1 to λ = 0.9:  ln(81) / (8γ) ≈ 0.549 / γ.
 * @returns Infinity for γ ≤ 0.
 * @throws EngineError THEORY-RANGE when γ is not finite.
 * Source   logistic of rate 8γ: logit(0.9) − logit(0.1) = ln 81.
 */
export function stepWidth(gamma: number): number {
  checkMode(gamma, 0);
  return gamma <= 0 ? Number.POSITIVE_INFINITY : Math.log(81) / (8 * gamma);
}

/**
 * Loss ‖C − I_d‖_F² of the aligned solution:  L(t) = Σ_{j ≤ d} (1 − λ_j(t))².
 *
 * A mode among the d with γ ≤ 0 never reaches 1 and leaves its unit (slightly more while λ < 0): L(∞) = d − p with p positive ones.
 *
 * @param gammas eigenvalues of Γ in the order of the modes, at least d.
 * @param s0s    initial singular values of the same modes, at least d.
 * @param d      embedding dimension, ≥ 1.
 * @param t      time ≥ 0.
 * @throws EngineError THEORY-SHAPE, THEORY-NONFINITE, THEORY-RANGE.
 * Source        Simon et al. 2023, section 4.
 */
export function staircaseLoss(gammas: ArrayLike<number>, s0s: ArrayLike<number>, d: number, t: number): number {
  checkCount("d", d, 1);
  checkLength("gammas", gammas, d);
  checkLength("s0s", s0s, d);
  checkFinite("gammas", gammas, d);
  checkFinite("s0s", s0s, d);
  let loss = 0;
  for (let j = 0; j < d; j++) {
    const gap = 1 - modeEigenvalue(gammas[j] as number, s0s[j] as number, t);
    loss += gap * gap;
  }
  return loss;
}

function checkMode(gamma: number, s0: number): void {
  checkAbove("gamma", gamma, -Number.MAX_VALUE, true);
  checkAbove("s0", s0, 0, true);
}
