import type { Tensor } from "../autodiff/graph.ts";
import { type L2NormalizeOptions, l2Normalize, similarityLoss } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

export interface CrossViewInfoNceOptions {
  /** τ > 0; 0.5 unless given. */
  readonly temperature?: number;
  /** How rows are normalised; ε = 1e-8 inside the root unless given. */
  readonly normalization?: Pick<L2NormalizeOptions, "form" | "epsilon">;
}

/**
 * InfoNCE between two views, one direction: row i of the first view classifies the rows of the second, cross-entropy against row i, mean
 * over rows. Negatives are the other rows of the second view only. The recipe of the golden training step (rows 0–15 against 16–31, τ =
 * 0.5). Both directions: call it twice and average.
 *
 * Three dispatches forward, four backward (two of them matrix products).
 *
 * @param za [rows, d], anchors
 * @param zb [rows, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, one row), CONFIG-VALUE (τ ≤ 0)
 * Source: van den Oord, Li & Vinyals 2018, eq. 4, with cosines
 */
export function crossViewInfoNce(
  za: Tensor,
  zb: Tensor,
  { temperature = 0.5, normalization = { form: "inside", epsilon: 1e-8 } }: CrossViewInfoNceOptions = {},
): Tensor {
  const { pairs } = requireViews("crossViewInfoNce", [za, zb], 2);
  requirePositive("crossViewInfoNce", "temperature", temperature);
  return za.graph.scope("crossViewInfoNce", () =>
    similarityLoss(l2Normalize(stackViews(za, zb), { ...normalization, padded: true }), {
      kind: "softmax",
      isAcross: true,
      scale: 1 / temperature,
      inverseTemperature: 0,
      negativeWeight: 0,
      beta: 0,
      mean: 1 / pairs,
    }),
  );
}
