import { reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { vicregLoss } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

export interface VicregOptions {
  /** Weight of the mean squared difference of the views; 25 unless given. */
  readonly invariance?: number;
  /** Weight of the hinge on standard deviations; 25 unless given. */
  readonly variance?: number;
  /** Weight of the squared off-diagonal covariances over d; 1 unless given. */
  readonly covariance?: number;
  /** Added to the variance under the root; 1e-4 unless given. */
  readonly epsilon?: number;
  /** `facebook` (= lightly): the hinges of both views are averaged; `solo`: they are added. */
  readonly form?: "facebook" | "solo";
}

/**
 * VICReg:  invariance·mean (za − zb)² + variance·½ Σ_v mean_j max(0, 1 − √(Var_v[j] + ε)) + covariance·(1/d) Σ_v Σ_{i≠j} Cov_v[i, j]²,
 * variances and covariances with N − 1. Derivatives flow through the standard deviations.
 *
 * Three dispatches forward (four for d > 90), two backward.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, N = 1), CONFIG-VALUE (negative weights or ε)
 * Source: Bardes, Ponce & LeCun 2022, eq. 6; facebookresearch/vicreg
 */
export function vicreg(za: Tensor, zb: Tensor, options: VicregOptions = {}): Tensor {
  const { invariance = 25, variance = 25, covariance = 1, epsilon = 1e-4, form = "facebook" } = options;
  const { pairs, d } = requireViews("vicreg", [za, zb], 2);
  for (const [name, value] of Object.entries({ invariance, variance, covariance })) {
    requirePositive("vicreg", name, value, true);
  }
  // Without ε the root's derivative at a constant output is infinite.
  requirePositive("vicreg", "epsilon", epsilon);
  return za.graph.scope("vicreg", () =>
    vicregLoss(reshape(stackViews(za, zb), [2, pairs, d]), {
      invariance: invariance / (pairs * d),
      variance: (form === "facebook" ? 0.5 : 1) * (variance / d),
      covariance: covariance / d,
      epsilon,
    }),
  );
}
