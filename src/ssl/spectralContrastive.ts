import type { Tensor } from "../autodiff/graph.ts";
import { l2Normalize, similarityLoss } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

export interface SpectralContrastiveOptions {
  /** μ > 0: rows are shortened to norm √μ, and the loss divided by μ; 1 unless given. */
  readonly mu?: number;
}

/**
 * Spectral contrastive loss:  (1/μ)·( −2·mean_i za_i·zb_i + Σ_{i≠j} (za_i·zb_j)² / (N(N − 1)) ), rows longer than √μ shortened to it.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, N = 1), CONFIG-VALUE (μ ≤ 0)
 * Source: HaoChen, Wei, Gaidon & Ma 2021 (arXiv 2106.04156)
 */
export function spectralContrastive(za: Tensor, zb: Tensor, { mu = 1 }: SpectralContrastiveOptions = {}): Tensor {
  const { pairs } = requireViews("spectralContrastive", [za, zb], 2);
  requirePositive("spectralContrastive", "mu", mu);
  return za.graph.scope("spectralContrastive", () =>
    similarityLoss(l2Normalize(stackViews(za, zb), { form: "clip", epsilon: Math.sqrt(mu), padded: true }), {
      kind: "spectral",
      isAcross: true,
      scale: 1,
      inverseTemperature: 0,
      negativeWeight: 1 / (pairs * (pairs - 1)),
      beta: 0,
      mean: 1 / mu,
    }),
  );
}
