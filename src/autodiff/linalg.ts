/** Differentiable decompositions and functions of matrices. */

import { MAX_EIGH_ORDER } from "../linalg/eighCalls.ts";
import { defaultCutoff, type SymmetricExponent } from "../linalg/powSym.ts";
import { MAX_SVD_SIDES } from "../linalg/svdSolver.ts";
import { eighOp } from "../ops/eigh.ts";
import { asMatrices, operand, shapeError } from "../ops/opDefinition.ts";
import { svdOp } from "../ops/svd.ts";
import { symmetricPowerOp } from "../ops/symmetric.ts";
import { matmul, multiply, scale } from "./functions.ts";
import type { Tensor } from "./graph.ts";

/** Unit roundoff of f32. */
const U = 2 ** -24;

/**
 * Eigenvalues of symmetric matrices [.., n, n], n ≤ 2048, descending; the lower triangle is read.
 *
 * Derivative: dA = V diag(dλ) Vᵀ, symmetric. Differentiating solves once more, with vectors; where both are wanted `eigh` solves once.
 */
export function eigenvalues(a: Tensor): Tensor {
  return operand(a.graph.add(eighOp, [a], { vectors: false }), 0);
}

/**
 * A = V diag(λ) Vᵀ of symmetric matrices [.., n, n], n ≤ 2048: `values` [.., n] descending, `vectors` [.., n, n] as columns.
 *
 * The derivative through `vectors` divides by gaps of eigenvalues. Where a gap is below 8·√n·2⁻²⁴·max|λ|, the error of the eigenvalues
 * themselves, the pair counts as degenerate and its term as 0: exact for functions of the invariant subspace, undefined for others.
 */
export function eigh(a: Tensor): { readonly values: Tensor; readonly vectors: Tensor } {
  const outputs = a.graph.add(eighOp, [a], { vectors: true });
  return { values: operand(outputs, 0), vectors: operand(outputs, 2) };
}

/** Gap below which two eigenvalues of an order-n matrix count as one, relative to the largest magnitude. */
export function eigenvalueGap(n: number): number {
  return 8 * Math.sqrt(n) * U;
}

/**
 * Singular values of matrices [.., rows, columns], descending, [.., min(rows, columns)]; the smaller side at most 1024, the larger 65,536.
 *
 * Derivative: dZ = U diag(dσ) Vᵀ; a zero singular value passes nothing back. Differentiating solves once more, with vectors.
 */
export function singularValues(z: Tensor): Tensor {
  return operand(z.graph.add(svdOp, [z], { left: false, right: false }), 0);
}

/** Z = U diag(σ) Vᵀ: `values` as `singularValues`, `left` [.., rows, k] and `right` [.., columns, k] as columns. Only `values` is differentiable. */
export function svd(z: Tensor): { readonly values: Tensor; readonly right: Tensor; readonly left: Tensor } {
  const outputs = z.graph.add(svdOp, [z], { left: true, right: true });
  return { values: operand(outputs, 0), right: operand(outputs, 2), left: operand(outputs, 3) };
}

/**
 * Eigenvalues σ²/rows of the second-moment matrix ZᵀZ/rows of embeddings [.., rows, columns], descending; centre them first for the
 * covariance. Squares of singular values: small ones keep their digits, which forming ZᵀZ would destroy below 1e-7 of the largest. Where both
 * sides are above 1024 it is formed all the same (or ZZᵀ, whichever is smaller, of order 2048 at most), and what is below that may be negative.
 *
 * @throws EngineError GRAPH-SHAPE when both sides are above 2048
 */
export function spectrum(z: Tensor): Tensor {
  const { rows, columns } = asMatrices(z);
  const [shorter, longer] = [Math.min(rows, columns), Math.max(rows, columns)];
  if (shorter > MAX_EIGH_ORDER) {
    throw shapeError(
      "spectrum",
      [z],
      `${rows} rows and ${columns} columns are both above ${MAX_EIGH_ORDER}`,
      "Take the spectrum of fewer embeddings.",
    );
  }
  if (shorter > MAX_SVD_SIDES.shorter || longer > MAX_SVD_SIDES.longer) {
    const sides = columns <= rows ? { transposeA: true } : { transposeB: true };
    return scale(eigenvalues(matmul(z, z, sides)), 1 / rows);
  }
  const values = singularValues(z);
  return scale(multiply(values, values), 1 / asMatrices(z).rows);
}

export interface PowSymOptions {
  /** Eigenvalues up to cutoff·max|λ| count as zero, and so does their power; n·2⁻²³ unless given. */
  readonly cutoff?: number;
}

/**
 * A^exponent of symmetric positive semi-definite matrices [.., n, n]: square root, inverse square root or inverse, the latter two pseudo-inverses
 * below the cut-off. Differentiable without regard to degenerate eigenvalues (divided differences in closed form).
 *
 * @throws EngineError GRAPH-SHAPE for a cut-off outside [0, 1)
 */
export function powSym(a: Tensor, exponent: SymmetricExponent, options: PowSymOptions = {}): Tensor {
  const { rows: n } = asMatrices(a);
  const cutoff = options.cutoff ?? defaultCutoff(n);
  if (!(cutoff >= 0 && cutoff < 1)) {
    throw shapeError(
      "powSym",
      [a],
      `cut-off ${cutoff} is outside [0, 1)`,
      "Give it relative to the largest eigenvalue.",
    );
  }
  const { values, vectors } = eigh(a);
  return operand(a.graph.add(symmetricPowerOp, [a, values, vectors], { exponent, cutoff }), 0);
}
