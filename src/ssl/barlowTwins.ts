import { add, center, crossCorrelation, matmul, reshape, slice } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { matrixPenalty, standardizeViews } from "../autodiff/ssl.ts";
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

interface Correlation {
  readonly correlation: Tensor;
  /** 1 − C_ii, where it is known better than by subtracting. */
  readonly shortfall: Tensor | undefined;
}

function correlate(
  za: Tensor,
  zb: Tensor,
  { form = "standardized", epsilon = 1e-5 }: BarlowCorrelationOptions,
): Correlation {
  const { pairs, d } = requireViews("barlowTwins", [za, zb], form === "raw" ? 1 : 2);
  requirePositive("barlowTwins", "epsilon", epsilon, true);
  const product = (a: Tensor, b: Tensor): Tensor => {
    const symmetric = form !== "standardized";
    if (d <= WIDEST_THIN) return crossCorrelation(a, b, { symmetric });
    const scale = symmetric ? 1 / (2 * pairs) : 1 / pairs;
    const forward = matmul(a, b, { transposeA: true, scale });
    return symmetric ? add(forward, matmul(b, a, { transposeA: true, scale })) : forward;
  };
  if (form === "raw") return { correlation: product(za, zb), shortfall: undefined };
  const both = reshape(stackViews(za, zb), [2, pairs, d]);
  const standard = form === "standardized" ? standardizeViews(both, epsilon) : undefined;
  const prepared = standard?.views ?? center(both);
  const view = (index: number): Tensor => reshape(slice(prepared, index, index + 1), [pairs, d]);
  return { correlation: product(view(0), view(1)), shortfall: standard?.shortfall };
}

/**
 * The matrix whose distance from the identity is the loss, and whose spectrum shows what is learned.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [d, d]; symmetric up to rounding in the forms `centered` and `raw`
 * @throws EngineError GRAPH-SHAPE, CONFIG-VALUE
 */
export function barlowCorrelation(za: Tensor, zb: Tensor, options: BarlowCorrelationOptions = {}): Tensor {
  return za.graph.scope("barlowTwins", () => correlate(za, zb, options).correlation);
}

/** The loss as `barlowTwins` gives it, with the matrix it is a function of, [d, d]. */
export function barlowTerms(
  za: Tensor,
  zb: Tensor,
  options: BarlowTwinsOptions = {},
): { readonly loss: Tensor; readonly correlation: Tensor } {
  const { form = "standardized", scale = 1 } = options;
  const lambda = options.lambda ?? (form === "standardized" ? 0.0051 : 1);
  requirePositive("barlowTwins", "lambda", lambda, true);
  requirePositive("barlowTwins", "scale", scale);
  return za.graph.scope("barlowTwins", () => {
    const { correlation, shortfall } = correlate(za, zb, options);
    const weights = { diagonal: scale, target: 1, offDiagonal: scale * lambda };
    return { loss: matrixPenalty(correlation, weights, shortfall), correlation };
  });
}

/**
 * Barlow Twins:  scale·( Σ_i (C_ii − 1)² + lambda·Σ_{i≠j} C_ij² ). Derivatives flow through the batch means and variances of both views.
 * Standardised, 1 − C_ii is formed without cancelling, so that small losses keep their digits.
 *
 * Three dispatches forward, three backward, for d ≤ 64; up to two more each way beyond.
 *
 * @param za [N, d]
 * @param zb [N, d]
 * @returns [1]
 * @throws EngineError GRAPH-SHAPE (shapes that differ, N = 1), CONFIG-VALUE (λ, scale or ε out of range)
 * Source: Zbontar et al. 2021, eq. 1; `centered`: Simon et al. 2023 with centring
 */
export function barlowTwins(za: Tensor, zb: Tensor, options: BarlowTwinsOptions = {}): Tensor {
  return barlowTerms(za, zb, options).loss;
}
