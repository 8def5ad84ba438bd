import { add, center, crossCorrelation, matmul, reshape, slice, standardize } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { matrixPenalty } from "../autodiff/ssl.ts";
import { requirePositive, requireViews, stackViews } from "./views.ts";

/**
 * `standardized`: every output dimension of each view to mean 0 and variance 1 (biased, ε under the root), C = zaᵀ·zb/N.
 * `centered`: every dimension of each view to mean 0, C averaged with its transpose (BT-raw of the staircase settings).
 * `raw`: embeddings as they are, C averaged with its transpose (the toy loss of Simon et al. 2023).
 */
export type BarlowForm = "standardized" | "centered" | "raw";

export interface BarlowCorrelationOptions {
  /** `standardized` unless given. */
  readonly form?: BarlowForm;
  /** Standardised form: added to the variance; 1e-5 unless given (BatchNorm1d's). A large ε makes small initialisations visible. */
  readonly epsilon?: number;
}

export interface BarlowTwinsOptions extends BarlowCorrelationOptions {
  /** Weight of the off-diagonal; 0.0051 for the standardised form, 1 for the others, unless given. */
  readonly lambda?: number;
  /** Factor of the whole loss; 1 unless given (solo-learn: 0.024, on CIFAR 0.1). */
  readonly scale?: number;
}

/** Widest embeddings that the tall-and-thin kernel takes; beyond, C is an ordinary matrix product. */
const WIDEST_THIN = 64;

/**
 * The matrix whose distance from the identity is the loss, and whose spectrum shows what is learned.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [d, d]
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 */
export function barlowCorrelation(
  za: Tensor,
  zb: Tensor,
  { form = "standardized", epsilon = 1e-5 }: BarlowCorrelationOptions = {},
): Tensor {
  const { pairs, d } = requireViews("barlowTwins", [za, zb], form === "raw" ? 1 : 2);
  requirePositive("barlowTwins", "epsilon", epsilon, true);
  const correlate = (a: Tensor, b: Tensor): Tensor => {
    const symmetric = form !== "standardized";
    if (d <= WIDEST_THIN) return crossCorrelation(a, b, { symmetric });
    const scale = symmetric ? 1 / (2 * pairs) : 1 / pairs;
    const product = matmul(a, b, { transposeA: true, scale });
    return symmetric ? add(product, matmul(b, a, { transposeA: true, scale })) : product;
  };
  if (form === "raw") return correlate(za, zb);
  const both = reshape(stackViews(za, zb), [2, pairs, d]);
  const prepared = form === "centered" ? center(both) : standardize(both, epsilon);
  const view = (index: number): Tensor => reshape(slice(prepared, index, index + 1), [pairs, d]);
  return correlate(view(0), view(1));
}

/** scale·( Σ_i (C_ii − 1)² + lambda·Σ_{i≠j} C_ij² ) of a matrix [d, d]; shape [1]. */
export function barlowPenalty(
  c: Tensor,
  { lambda = 1, scale = 1 }: Pick<BarlowTwinsOptions, "lambda" | "scale"> = {},
): Tensor {
  requirePositive("barlowTwins", "lambda", lambda, true);
  requirePositive("barlowTwins", "scale", scale);
  return matrixPenalty(c, { diagonal: scale, target: 1, offDiagonal: scale * lambda });
}

/**
 * Barlow Twins:  scale·( Σ_i (C_ii − 1)² + lambda·Σ_{i≠j} C_ij² ). Derivatives flow through the batch means and variances of both views.
 *
 * Three dispatches forward, three backward, for d ≤ 64; up to two more beyond.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, N = 1), CONFIG-VALUE (λ, scale or ε out of range)
 * Source: Zbontar et al. 2021, eq. 1; ssl-theory D.1; `centered`: staircase-settings §1
 */
export function barlowTwins(za: Tensor, zb: Tensor, options: BarlowTwinsOptions = {}): Tensor {
  const { form = "standardized", scale = 1 } = options;
  const lambda = options.lambda ?? (form === "standardized" ? 0.0051 : 1);
  return za.graph.scope("barlowTwins", () => barlowPenalty(barlowCorrelation(za, zb, options), { lambda, scale }));
}
