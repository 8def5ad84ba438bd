/**
 * Gradient descent with a finite learning rate, mode by mode: what the GPU run does, rather than its gradient-flow limit.
 * Role: removes the learning rate from the list of excuses when a measured step time is compared with theory.
 *
 * From W = U S Vᵀ one step W ← W − lr ∇L, ∇L = 4 (C − I) W Γ, stays aligned and acts on each mode alone:
 *
 *   s ← s (1 + a (1 − γ s²)),   a = 4 lr γ;   equivalently λ ← λ (1 + a (1 − λ))² for λ = γ s².
 *
 * With heavy-ball momentum μ (v ← μ v + ∇L, W ← W − lr v, v(0) = 0) the pair (s, v) obeys the same with v ← μ v − 4 γ (1 − γ s²) s.
 * The clock is t = lr · step / (1 − μ). Source: Simon et al. 2023 (arXiv 2303.15438), section 4, discretised.
 */
import { EngineError } from "../errors.ts";
import { checkAbove, checkCount } from "./inputChecks.ts";

/** Up to this eigenvalue the recurrence is taken as linear and jumped over: it moves the time by 1e-9/(8γ), of at least 20/(8γ). */
const LINEAR_PHASE_END = 1e-9;
/** Below this a/(1 − μ) a step is so small that the modified flow replaces iteration (and iteration would need > 1e6 steps). */
const FLOW_LIMIT_PLAIN = 1e-5;
const FLOW_LIMIT_MOMENTUM = 1e-6;

export interface DiscreteOptions {
  /** Heavy-ball momentum μ, 0 ≤ μ < 1; 0 by default. */
  readonly momentum?: number | undefined;
}

/**
 * Singular values s_0 .. s_steps of one mode under gradient descent.
 *
 * @param gamma eigenvalue of Γ, any sign.
 * @param s0    initial singular value, ≥ 0.
 * @param lr    learning rate, > 0, in units of 1/γ.
 * @param steps number of updates, ≥ 0.
 * @returns     float64 [steps + 1]; entry k is at t = lr·k/(1 − μ). May overflow to NaN for an unstable lr (see `learningRateBound`).
 * @throws EngineError THEORY-RANGE, THEORY-SHAPE.
 * Source       recurrence in the file header; exact for aligned weights.
 */
export function discreteTrajectory(
  gamma: number,
  s0: number,
  lr: number,
  steps: number,
  options: DiscreteOptions = {},
): Float64Array {
  const momentum = checkArguments(gamma, s0, lr, options);
  checkCount("steps", steps, 0);
  const trajectory = new Float64Array(steps + 1);
  let s = s0;
  let velocity = 0;
  trajectory[0] = s;
  for (let k = 1; k <= steps; k++) {
    velocity = momentum * velocity - 4 * gamma * (1 - gamma * s * s) * s;
    s -= lr * velocity;
    trajectory[k] = s;
  }
  return trajectory;
}

/**
 * Time of the first upward crossing of λ = 1/2 under gradient descent, linearly interpolated in λ between steps.
 *
 * Three phases. (1) λ < 1e-9: linear, s_k = c₁ z₁ᵏ + c₂ z₂ᵏ with z the roots of z² − (1 + μ + a) z + μ = 0, jumped over in closed
 * form, so λ₀ = 1e-30 or smaller costs nothing. (2) plain iteration from there. (3) when a/(1 − μ) is below 1e-5 (1e-6 with
 * momentum), instead of (2): the modified flow dλ/dk = 2a λ (1 − λ) (1 + (a/2)(3λ − 1)), from the logarithm of the map to second
 * order in a, integrated exactly; with momentum the logistic with the exact linear rate 2 ln z₁.
 *
 * @param gamma eigenvalue of Γ; s0 initial singular value, ≥ 0; lr learning rate, > 0.
 * @returns     t = lr·step/(1 − μ); 0 when λ₀ ≥ 1/2; Infinity for γ ≤ 0 or s0 = 0.
 * Accuracy     relative to exact iteration: 1e-10 without momentum, 2e-6 in phase (3) with momentum, 1e-10 otherwise.
 * @throws EngineError THEORY-RANGE when an argument is out of range.
 */
export function discreteStepTime(gamma: number, s0: number, lr: number, options: DiscreteOptions = {}): number {
  const momentum = checkArguments(gamma, s0, lr, options);
  if (gamma <= 0 || s0 === 0) return Number.POSITIVE_INFINITY;
  const lambda0 = gamma * s0 * s0;
  if (lambda0 >= 0.5) return 0;
  const a = 4 * lr * gamma;
  const clock = lr / (1 - momentum);
  const logLambda0 = Math.log(gamma) + 2 * Math.log(s0);
  const root = linearRoots(a, momentum);

  if (a / (1 - momentum) < (momentum === 0 ? FLOW_LIMIT_PLAIN : FLOW_LIMIT_MOMENTUM)) {
    const logitSpan = Math.log1p(-lambda0) - logLambda0;
    if (momentum > 0) return (clock * logitSpan) / (2 * root.growth);
    const saturation = 1.5 * a * (Math.log(0.5) - Math.log1p(-lambda0));
    return (clock * ((1 + a / 2) * logitSpan + saturation)) / (2 * a);
  }

  let step = Math.max(0, Math.floor((Math.log(LINEAR_PHASE_END) - logLambda0) / (2 * root.growth)));
  let s = s0;
  let velocity = 0;
  if (step > 0) {
    const leading = Math.exp(Math.log(s0 * root.share) + step * root.growth);
    const transient = s0 * (1 - root.share);
    s = leading + transient * root.second ** step;
    const before = leading * Math.exp(-root.growth) + transient * root.second ** (step - 1);
    velocity = (before - s) / lr;
  }
  let previous = gamma * s * s;
  for (;;) {
    velocity = momentum * velocity - 4 * gamma * (1 - gamma * s * s) * s;
    s -= lr * velocity;
    step += 1;
    const lambda = gamma * s * s;
    // Below 1/2 every step multiplies λ by more than (1 + a/2)², so this loop ends after at most ln(1e9)/(2 ln(1 + a/2)) steps.
    if (lambda >= 0.5) return clock * (step - 1 + (0.5 - previous) / (lambda - previous));
    previous = lambda;
  }
}

/** Roots of the linear two-term recurrence: ln z₁, z₂, and the share c₁/s₀ of the growing root when v(0) = 0. */
function linearRoots(a: number, momentum: number): { growth: number; second: number; share: number } {
  const damping = 1 - momentum - a;
  // z₁ − 1 in the form without cancellation; z₁ z₂ = μ gives the other root.
  const excess = (2 * a) / (damping + Math.sqrt(damping * damping + 4 * a));
  const second = momentum / (1 + excess);
  return { growth: Math.log1p(excess), second, share: (1 + a - second) / (1 + excess - second) };
}

function checkArguments(gamma: number, s0: number, lr: number, options: DiscreteOptions): number {
  checkAbove("gamma", gamma, -Number.MAX_VALUE, true);
  checkAbove("s0", s0, 0, true);
  checkAbove("learningRate", lr, 0);
  const momentum = options.momentum ?? 0;
  checkAbove("momentum", momentum, 0, true);
  if (momentum >= 1) {
    throw new EngineError({
      code: "THEORY-RANGE",
      message: `momentum is ${momentum}, but the clock t = lr·step/(1 − momentum) needs it below 1.`,
      fix: "Pass 0 <= momentum < 1.",
      where: "momentum",
      detail: { momentum },
    });
  }
  return momentum;
}
