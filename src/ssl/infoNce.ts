import { reshape } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { distanceContrastLoss } from "../autodiff/ssl.ts";
import { shapeError } from "../ops/opDefinition.ts";
import { requireBeta, requirePositive, requireViews } from "./views.ts";

export interface InfoNceOptions {
  /** τ > 0. */
  readonly temperature: number;
  /** The family L + beta·r₊; 0 unless given. */
  readonly beta?: number;
  /** Anchors of so many trainings lie one after another, each group as large as the others: the loss is the sum of their means. 1 unless given. */
  readonly groups?: number;
}

/**
 * InfoNCE with H negatives of its own per anchor, mean over anchors:
 *
 *   −ln( e^{−r₊/τ} / (e^{−r₊/τ} + Σ_{k=1..H} e^{−r_k/τ}) ) + beta·r₊,  r(x, y) = ½‖x − y‖²
 *
 * With unit rows r = 1 − cos, and this is InfoNCE of cosines.
 *
 * @param anchor    [rows, d]
 * @param positive  [rows, d]
 * @param negatives [rows, H, d], or [rows, d] for H = 1
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6)
 */
export function infoNce(
  anchor: Tensor,
  positive: Tensor,
  negatives: Tensor,
  { temperature, beta = 0, groups = 1 }: InfoNceOptions,
): Tensor {
  const { pairs, d } = requireViews("infoNce", [anchor, positive], 1);
  requirePositive("infoNce", "temperature", temperature);
  requireBeta("infoNce", beta, false);
  const { shape } = negatives;
  const count = shape.length === 2 ? 1 : (shape[1] ?? 0);
  if (![2, 3].includes(shape.length) || shape[0] !== pairs || shape.at(-1) !== d) {
    throw shapeError(
      "infoNce",
      [anchor, positive, negatives],
      `negatives must be [${pairs}, H, ${d}]`,
      "Give every anchor equally many negatives of its own width.",
    );
  }
  return distanceContrastLoss(anchor, positive, reshape(negatives, [pairs, count, d]), {
    isLinear: false,
    inverseTemperature: 1 / temperature,
    margin: 0,
    height: 1,
    beta,
    groups,
  });
}
