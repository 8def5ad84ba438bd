/**
 * The largest learning rate at which plain gradient descent can settle on the solution of the linear model.
 * Role: refuses a run that must diverge, before the GPU is asked to run it.
 */
import { EngineError } from "../errors.ts";
import { checkAbove } from "./inputChecks.ts";

/** Share of the bound proposed in the fix: gradient descent then tracks gradient flow to about 2 lr γ₁ = 4 % of the fastest rate. */
const SUGGESTED_SHARE = 0.08;

/**
 * Stability bound of plain gradient descent (no momentum):  lr < 1 / (4 γ₁).
 *
 * At the solution the loss has Hessian eigenvalue 8γ₁ along the first mode (λ ← λ (1 + 4 lr γ (1 − λ))² has derivative
 * 1 − 8 lr γ at λ = 1), and gradient descent contracts there only for lr · 8γ₁ < 2. With heavy-ball momentum μ it is (1 + μ) times larger.
 * Above it the loss may still vanish: with d below the number of positive modes, descent can leave for a flatter zero-loss weight of larger
 * norm that avoids the first mode. That weight is not the one the theory predicts, hence the refusal.
 *
 * @param gamma1 largest eigenvalue of Γ, in squared feature units.
 * @returns      the bound, in units of 1/γ₁; Infinity when γ₁ ≤ 0 (every mode decays).
 * @throws EngineError THEORY-RANGE when γ₁ is not finite.
 * Source        linearisation of dW/dt = −4 (W Γ Wᵀ − I) W Γ (Simon et al. 2023, section 4) at its zero-loss point.
 */
export function learningRateBound(gamma1: number): number {
  checkAbove("gamma1", gamma1, -Number.MAX_VALUE, true);
  return gamma1 <= 0 ? Number.POSITIVE_INFINITY : 1 / (4 * gamma1);
}

/**
 * Passes silently when `lr` is positive and below `learningRateBound(gamma1)`, or when `force` is set.
 *
 * @throws EngineError THEORY-LR-BOUND when lr ≥ 1/(4γ₁) and not forced; the fix names a learning rate that works.
 * @throws EngineError THEORY-RANGE when lr is not finite and positive, or γ₁ not finite (also when forced).
 */
export function assertStableLearningRate(
  lr: number,
  gamma1: number,
  options: { readonly force?: boolean | undefined } = {},
): void {
  checkAbove("learningRate", lr, 0);
  const bound = learningRateBound(gamma1);
  if (lr < bound || options.force === true) return;
  const suggested = Number((SUGGESTED_SHARE * bound).toPrecision(2));
  throw new EngineError({
    code: "THEORY-LR-BOUND",
    message:
      `Learning rate ${lr} is not below ${bound.toPrecision(6)} = 1/(4 gamma_1) ` +
      `with gamma_1 = ${gamma1.toPrecision(6)}; gradient descent cannot settle on the predicted solution.`,
    fix: `Use --set optimizer.learningRate=${suggested}, or --set force=true to run it all the same.`,
    where: "optimizer.learningRate",
    detail: { learningRate: lr, bound, gamma1, suggested },
  });
}
