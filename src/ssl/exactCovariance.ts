import type { Tensor } from "../autodiff/graph.ts";
import { l2Normalize, similarityLoss, stopGradient } from "../autodiff/ssl.ts";
import { shapeError } from "../ops/opDefinition.ts";
import { requireBeta, requirePositive, requireViews, stackViews } from "./views.ts";

export interface ExactCovarianceOptions {
  /** τ > 0; 0.5 unless given. */
  readonly temperature?: number;
  /** Further weight of r₊; 0 unless given. */
  readonly beta?: number;
  /**
   * Embeddings [B, d'] of the un-augmented images: weights then depend on the images only, as the theorem assumes (the B × B matrix tiled
   * 2 × 2). Without them the weights come from the augmented embeddings themselves. Nothing flows back through weights in either case.
   */
  readonly unaugmented?: Tensor;
}

/**
 * The surrogate whose update is the covariance operator of InfoNCE (`exact_cov`). With r = 1 − cos and N₋ = 2B − 2 negatives of each of
 * the 2B anchors:
 *
 *   w_ij = (1/(τ·N₋)) · e^{−r_ij/τ} / (1 + e^{−r_ij/τ}), constants;  mean_i Σ_j w_ij·(r_i₊ − r_ij) + beta·mean_i (Σ_j w_ij)·r_i₊
 *
 * @param za [B, d]
 * @param zb [B, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 * Source: luckmatters/ssl/real-dataset, first upload
 */
export function exactCovariance(
  za: Tensor,
  zb: Tensor,
  { temperature = 0.5, beta = 0, unaugmented }: ExactCovarianceOptions = {},
): Tensor {
  const { pairs } = requireViews("exactCovariance", [za, zb], 2);
  requirePositive("exactCovariance", "temperature", temperature);
  requireBeta("exactCovariance", beta, false);
  if (unaugmented && (unaugmented.shape.length !== 2 || unaugmented.shape[0] !== pairs)) {
    throw shapeError(
      "exactCovariance",
      [za, zb, unaugmented],
      `un-augmented embeddings must be [${pairs}, d']`,
      "Give one embedding per image of the batch.",
    );
  }
  return za.graph.scope("exactCovariance", () =>
    similarityLoss(
      l2Normalize(stackViews(za, zb), { padded: true }),
      {
        kind: "covariance",
        isAcross: false,
        scale: 1,
        inverseTemperature: 1 / temperature,
        negativeWeight: 1 / (temperature * (2 * pairs - 2)),
        beta,
        mean: 1 / (2 * pairs),
      },
      unaugmented && stopGradient(l2Normalize(unaugmented, { padded: true })),
    ),
  );
}
