/** Differentiable building blocks of self-supervised losses (the losses themselves: src/ssl). */
import { operand } from "../ops/opDefinition.ts";
import { type DistanceContrastAttributes, distanceContrastOp } from "../ops/sslDistance.ts";
import { cosineOp, l2NormalizeOp, type NormForm } from "../ops/sslNormalize.ts";
import {
  barlowColumnsOp,
  type MatrixPenaltyAttributes,
  matrixPenaltyOp,
  type VicregAttributes,
  vicregOp,
} from "../ops/sslPenalty.ts";
import { type SimilarityAttributes, similarityOp } from "../ops/sslSimilarity.ts";
import type { Tensor } from "./graph.ts";

export interface L2NormalizeOptions {
  /**
   * Where ε stands, with n the row's Euclidean norm.
   *   max      x / max(n, ε): PyTorch's F.normalize (ε 1e-12)
   *   inside   x / √(n² + ε)
   *   outside  x / (n + ε)
   *   clip     x · min(1, ε/n): rows longer than ε are shortened to it
   */
  readonly form?: NormForm;
  /** 1e-12 unless given, 1 for `clip`. */
  readonly epsilon?: number;
  /** Pads the rows of the result with zeros to a multiple of 4, as `similarityLoss` needs them. */
  readonly padded?: boolean;
}

/** Rows of [.., d] divided by their Euclidean norms. */
export function l2Normalize(x: Tensor, options: L2NormalizeOptions = {}): Tensor {
  const form = options.form ?? "max";
  const epsilon = options.epsilon ?? (form === "clip" ? 1 : 1e-12);
  return operand(x.graph.add(l2NormalizeOp, [x], { form, epsilon, padded: options.padded ?? false }), 0);
}

/** The same values; nothing flows back through the result. Costs nothing: it is a view. */
export function stopGradient(x: Tensor): Tensor {
  return x.graph.view(x, x.shape, 0, true);
}

/**
 * Σ_i (offset + slope·(1 − cos(p_i, z_j))), j = (i + shift) mod rows, of p and z [rows, d]; shape [1]. Norms are bounded below by
 * epsilon.
 */
export function cosineLoss(
  p: Tensor,
  z: Tensor,
  options: { readonly shift: number; readonly epsilon: number; readonly offset: number; readonly slope: number },
): Tensor {
  return operand(p.graph.add(cosineOp, [p, z], options), 0);
}

/**
 * Loss of all similarities between the rows of both views, u [2·pairs, 4·k] from `l2Normalize` with padding; shape [1]. Weights made
 * from `weightsFrom` are constants.
 */
export function similarityLoss(u: Tensor, attributes: SimilarityAttributes, weightsFrom?: Tensor): Tensor {
  return operand(u.graph.add(similarityOp, weightsFrom ? [u, weightsFrom] : [u], attributes), 0);
}

/**
 * Two views [2, rows, d] standardised by dimension, (z − mean)/√(var + epsilon) with biased variance, and 1 − (their correlation) per
 * dimension [d], formed without cancelling; for `matrixPenalty`, not differentiable by itself.
 */
export function standardizeViews(z: Tensor, epsilon: number): { readonly views: Tensor; readonly shortfall: Tensor } {
  const outputs = z.graph.add(barlowColumnsOp, [z], { epsilon });
  return { views: operand(outputs, 0), shortfall: stopGradient(operand(outputs, 2)) };
}

/**
 * diagonal·Σ_i (c_ii − target)² + offDiagonal·Σ_{i≠j} c_ij² of [.., n, n]; shape [1]. With `shortfall` [n] = target − c_ii, a function
 * of the same embeddings that is known more accurately, its entries stand for the differences; derivatives flow through c.
 */
export function matrixPenalty(c: Tensor, attributes: MatrixPenaltyAttributes, shortfall?: Tensor): Tensor {
  return operand(c.graph.add(matrixPenaltyOp, shortfall ? [c, shortfall] : [c], attributes), 0);
}

/** VICReg of both views [2, rows, d]; shape [1]. */
export function vicregLoss(z: Tensor, attributes: VicregAttributes): Tensor {
  return operand(z.graph.add(vicregOp, [z], attributes), 0);
}

/**
 * Mean over anchors [rows, d] of a contrastive loss of half squared distances to positives [rows, d] and negatives [rows, H, d]; shape
 * [1].
 */
export function distanceContrastLoss(
  anchor: Tensor,
  positive: Tensor,
  negatives: Tensor,
  attributes: DistanceContrastAttributes,
): Tensor {
  return operand(anchor.graph.add(distanceContrastOp, [anchor, positive, negatives], attributes), 0);
}
