import { center, matmul, reshape, slice } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { powSym } from "../autodiff/linalg.ts";
import { cosineLoss } from "../autodiff/ssl.ts";
import { shapeError } from "../ops/opDefinition.ts";
import { requireViews, stackViews } from "./views.ts";

/**
 * Whitening MSE, normalised form:  mean_i ‖ŵa_i − ŵb_i‖² = 2 − 2·mean cos(wa_i, wb_i) with w = (z − mean)·Cov^{−1/2} of each view over the
 * batch, Cov with N − 1. The symmetric root (ZCA) stands in for the paper's Cholesky factor: another rotation of the whitened embeddings,
 * which the rows of the two views do not share exactly; values differ from the Cholesky form's, minima do not.
 *
 * @param za [N, d], d < N
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE: shapes that differ, d ≥ N (the covariance of N rows has rank N − 1 at most)
 * Source: Ermolov, Siarohin, Sangineto & Sebe 2021 (arXiv 2007.06346)
 */
export function wMse(za: Tensor, zb: Tensor): Tensor {
  const { pairs, d } = requireViews("wMse", [za, zb], 2);
  if (d >= pairs) {
    throw shapeError(
      "wMse",
      [za, zb],
      `embeddings of ${d} dimensions cannot be whitened over a batch of ${pairs}`,
      `Use a batch of at least ${d + 1}, or fewer dimensions.`,
    );
  }
  return za.graph.scope("wMse", () => {
    const centered = center(reshape(stackViews(za, zb), [2, pairs, d]));
    const covariance = matmul(centered, centered, { transposeA: true, scale: 1 / (pairs - 1) });
    const whitened = matmul(centered, powSym(covariance, -0.5));
    const view = (index: number): Tensor => reshape(slice(whitened, index, index + 1), [pairs, d]);
    return cosineLoss(view(0), view(1), { shift: 0, epsilon: 1e-12, offset: 0, slope: 2 / pairs });
  });
}
