/**
 * Eigen-decomposition of one real symmetric matrix in float64 on the CPU.
 * Role: gives the theory its γ_j and V, independently of the GPU solver it is compared with.
 */
import { checkCount, checkFinite, checkLength } from "./inputChecks.ts";
import { normalise, tridiagonalEigenvectors } from "./inverseIteration.ts";
import { backTransform, tridiagonalEigenvalues, tridiagonalise } from "./tridiagonal.ts";

export interface SymmetricEigen {
  /** All n eigenvalues, descending. */
  readonly values: Float64Array;
  /** [count, n] row-major: row j is the unit eigenvector of values[j]; its first entry of largest magnitude is positive. */
  readonly vectors: Float64Array;
}

/**
 * All eigenvalues and the leading `count` eigenvectors:  A v_j = λ_j v_j,  λ descending, v_iᵀ v_j = δ_ij.
 *
 * Householder tridiagonalisation (4/3 n³ flops), implicit QL for the values (O(n²)), inverse iteration with full
 * re-orthogonalisation for the vectors (O(n count²)), back-transformation (2 n² count). The matrix is first scaled to unit largest entry.
 * Within a repeated eigenvalue the basis is arbitrary but deterministic: equal input gives equal bits.
 *
 * @param a       [n, n] row-major; only the lower triangle is read; not modified.
 * @param n       order, ≥ 1.
 * @param options count: eigenvectors wanted, 0..n; all n by default.
 * Accuracy       |δλ| ≤ 2 n u ‖A‖_F, ‖A v − λ v‖ ≤ (2n + 14 √n) u ‖A‖_F, |v_iᵀ v_j − δ_ij| ≤ 2 (n + 8) u, u = 2⁻⁵³; checked in
 *                test/theory/symmetricEigen.test.ts.
 * @throws EngineError THEORY-SHAPE (sizes), THEORY-NONFINITE (NaN or infinity), THEORY-EIGEN (no convergence).
 * Source         Golub & Van Loan, Matrix Computations 4e, §8.2 to §8.4.
 */
export function symmetricEigen(
  a: Float32Array | Float64Array,
  n: number,
  options: { readonly count?: number } = {},
): SymmetricEigen {
  checkCount("n", n, 1);
  checkLength("a", a, n * n, true);
  const count = Math.min(options.count ?? n, n);
  checkCount("count", count, 0);
  checkFinite("a", a);

  const work = Float64Array.from(a);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) largest = Math.max(largest, Math.abs(work[i * n + j] as number));
  }
  // A power of two near the largest entry: the scaling is exact and keeps squares away from overflow and underflow.
  const scale = largest > 0 ? 2 ** Math.max(-1021, Math.floor(Math.log2(largest))) : 1;
  for (let i = 0; i < work.length; i++) work[i] = (work[i] as number) / scale;

  const reduced = tridiagonalise(work, n);
  const values = tridiagonalEigenvalues(reduced);
  const vectors = tridiagonalEigenvectors(reduced, values.subarray(0, count));
  for (let j = 0; j < count; j++) {
    backTransform(reduced, vectors, j * n);
    normalise(vectors, j * n, n);
    fixSign(vectors, j * n, n);
  }
  for (let i = 0; i < n; i++) values[i] = (values[i] as number) * scale;
  return { values, vectors };
}

/** An eigenvector's sign is free; making its first entry of largest magnitude positive removes the freedom. */
function fixSign(vectors: Float64Array, at: number, n: number): void {
  let pivot = 0;
  for (let i = 0; i < n; i++) {
    const v = vectors[at + i] as number;
    if (Math.abs(v) > Math.abs(pivot)) pivot = v;
  }
  if (pivot >= 0) return;
  for (let i = 0; i < n; i++) vectors[at + i] = -(vectors[at + i] as number);
}
