import { reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { distanceContrastLoss } from "../autodiff/ssl.ts";
import { requireBeta, requirePositive, requireViews } from "./views.ts";

export interface SoftTripletOptions {
  /** τ > 0. */
  readonly temperature: number;
  /** r₀, in units of r; 0 unless given. */
  readonly margin?: number;
  /** The family L + beta·r₊; 0 unless given. */
  readonly beta?: number;
  /** Anchors of so many trainings lie one after another, each group as large as the others: the loss is the sum of their means. 1 unless given. */
  readonly groups?: number;
}

/**
 * Soft triplet loss, mean over anchors:  τ·ln(1 + e^{(r₊ − r₋ + r₀)/τ}) + beta·r₊,  r(x, y) = ½‖x − y‖².
 *
 * @param anchor   [rows, d]
 * @param positive [rows, d]
 * @param negative [rows, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6)
 */
export function softTriplet(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { temperature, margin = 0, beta = 0, groups = 1 }: SoftTripletOptions,
): Tensor {
  const { pairs, d } = requireViews("softTriplet", [anchor, positive, negative], 1);
  requirePositive("softTriplet", "temperature", temperature);
  requirePositive("softTriplet", "margin", margin, true);
  requireBeta("softTriplet", beta, false);
  return distanceContrastLoss(anchor, positive, reshape(negative, [pairs, 1, d]), {
    isLinear: false,
    inverseTemperature: 1 / temperature,
    margin,
    height: temperature,
    beta,
    groups,
  });
}
