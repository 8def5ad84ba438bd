import { reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { distanceContrastLoss } from "../autodiff/ssl.ts";
import { requireBeta, requireViews } from "./views.ts";

export interface SimpleContrastiveOptions {
  /** The family L + beta·r₊: weight of a further attraction within pairs, may be negative; 0 unless given. */
  readonly beta?: number;
  /** Anchors of so many trainings lie one after another, each group as large as the others: the loss is the sum of their means. 1 unless given. */
  readonly groups?: number;
}

/**
 * Simple contrastive loss, mean over anchors:  r₊ − r₋ + beta·r₊,  r(x, y) = ½‖x − y‖².
 *
 * Population gradient under full sampling: −∇ = 2·V_x[K̄_l]·vec(W_l), less 2·beta·E_x V_aug[K_l]·vec(W_l) (Tian et
 * al. 2020). Unbounded below: use with a constraint on the weights.
 *
 * @param anchor   [rows, d]
 * @param positive [rows, d], other augmentations of the anchors' samples
 * @param negative [rows, d], augmentations of independent samples
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6)
 */
export function simpleContrastive(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { beta = 0, groups = 1 }: SimpleContrastiveOptions = {},
): Tensor {
  const { pairs, d } = requireViews("simpleContrastive", [anchor, positive, negative], 1);
  requireBeta("simpleContrastive", beta, false);
  return distanceContrastLoss(anchor, positive, reshape(negative, [pairs, 1, d]), {
    isLinear: true,
    inverseTemperature: 1,
    margin: 0,
    height: 1,
    beta,
    groups,
  });
}
