import type { Tensor } from "../autodiff/graph.ts";
import { cosineLoss, stopGradient } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

export interface SimSiamOptions {
  /** Least norm; 1e-8 unless given (nn.CosineSimilarity). */
  readonly epsilon?: number;
}

/**
 * SimSiam:  −½·( mean cos(pa, sg(zb)) + mean cos(pb, sg(za)) ), sg the stop-gradient; range −1 … 1.
 * Two dispatches forward, one backward.
 *
 * @param pa [rows, d], predictions for the first view
 * @param pb [rows, d], for the second
 * @param za [rows, d], projections of the first view
 * @param zb [rows, d], of the second
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: Chen & He 2021, eq. 4
 */
export function simSiam(
  pa: Tensor,
  pb: Tensor,
  za: Tensor,
  zb: Tensor,
  { epsilon = 1e-8 }: SimSiamOptions = {},
): Tensor {
  const { pairs } = requireViews("simSiam", [pa, pb, za, zb], 1);
  requirePositive("simSiam", "epsilon", epsilon);
  const weight = 1 / (2 * pairs);
  return pa.graph.scope("simSiam", () =>
    cosineLoss(stackViews(pa, pb), stopGradient(stackViews(za, zb)), {
      shift: pairs,
      epsilon,
      // −cos = (1 − cos) − 1
      offset: -weight,
      slope: weight,
    }),
  );
}
