import type { Tensor } from "../autodiff/graph.ts";
import { l2Normalize, similarityLoss } from "../autodiff/ssl.ts";
import { requireBeta, requirePositive, requireViews, stackViews } from "./views.ts";

export interface NtXentOptions {
  /** τ > 0; 0.5 unless given (lightly's default; Google's recipes use 0.1 and 0.5). */
  readonly temperature?: number;
  /** Further weight of r₊ = 1 − cos: (cross-entropy − beta·cos₊/τ)/(1 + beta); above −1, 0 unless given. */
  readonly beta?: number;
}

/**
 * NT-Xent (SimCLR): cosine logits over τ, each of the 2N embeddings an anchor with one positive and 2N − 2 negatives, cross-entropy, mean
 * over the 2N anchors. google-research/simclr returns twice this value. Normalisation x/max(‖x‖, 1e-12), as F.normalize.
 *
 * Computed as ln(1 + Σ e^{s_j − s₊}), so that small losses keep their digits. Three dispatches forward, three backward; the 2N × 2N
 * logits are not stored forward, and backward in pieces of at most 16 MiB (two further dispatches a piece, from 2N = 2048 on).
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, N = 1), CONFIG-VALUE (τ ≤ 0, beta ≤ −1)
 * Source: Chen et al. 2020, eq. 1; beta: luckmatters/ssl/real-dataset
 */
export function ntXent(za: Tensor, zb: Tensor, { temperature = 0.5, beta = 0 }: NtXentOptions = {}): Tensor {
  const { pairs } = requireViews("ntXent", [za, zb], 2);
  requirePositive("ntXent", "temperature", temperature);
  requireBeta("ntXent", beta, true);
  return za.graph.scope("ntXent", () =>
    similarityLoss(l2Normalize(stackViews(za, zb), { padded: true }), {
      kind: "softmax",
      isAcross: false,
      scale: 1 / temperature,
      inverseTemperature: 0,
      negativeWeight: 0,
      beta,
      mean: 1 / (2 * pairs),
    }),
  );
}
