/**
 * Float64 references for large symmetric matrices: eigenvalues by Householder tridiagonalisation and implicit QL (what the theory uses, on
 * the CPU; nothing of the GPU solver is in it), accurate to about n·2⁻⁵³·‖A‖, and the quality of a decomposition in O(n³) with unit stride.
 */
import { symmetricEigen } from "../../src/theory/symmetricEigen.ts";

/** Unit roundoff of f32. */
const U = 2 ** -24;

/** Eigenvalues of the f32 matrix a [n, n], descending. */
export function referenceEigenvalues(a: Float32Array, n: number): Float64Array {
  return symmetricEigen(a, n, { count: 0 }).values;
}

/** Errors in the units of docs/numerics.md; all 0 when everything is exact. */
export interface EighErrors {
  /** max abs(λ̂ − λ) / (√n·u·max abs(λ)) */
  readonly eigenvalue: number;
  /** ‖AV − V·diag(λ̂)‖_F / (n·u·‖A‖_F); NaN without vectors */
  readonly residual: number;
  /** ‖VᵀV − I‖_F / (n·u); NaN without vectors */
  readonly orthogonality: number;
}

/** max abs(λ̂ − λ) / (√n·u·max abs(λ)); for a zero matrix 0 when all values are exactly 0, infinity otherwise. */
export function eigenvalueError(values: ArrayLike<number>, reference: ArrayLike<number>): number {
  const n = reference.length;
  let error = 0;
  let largest = 0;
  for (let i = 0; i < n; i++) {
    error = Math.max(error, Math.abs(values[i]! - reference[i]!));
    largest = Math.max(largest, Math.abs(reference[i]!));
  }
  if (error === 0) return 0;
  return error / (Math.sqrt(n) * U * largest);
}

/** @param a [n, n] symmetric; `vectors` [n, n] row-major, eigenvectors as columns */
export function eighErrors(
  a: Float32Array,
  n: number,
  result: { readonly values: Float32Array; readonly vectors?: Float32Array },
  reference = referenceEigenvalues(a, n),
): EighErrors {
  const eigenvalue = eigenvalueError(result.values, reference);
  if (!result.vectors) return { eigenvalue, residual: Number.NaN, orthogonality: Number.NaN };
  return { eigenvalue, ...vectorErrors(a, n, result.values, result.vectors) };
}

function vectorErrors(a: Float32Array, n: number, values: Float32Array, vectors: Float32Array) {
  const v = Float64Array.from(vectors);
  // A power of two near the largest entry keeps sums of squares finite.
  let largest = 0;
  for (const entry of a) largest = Math.max(largest, Math.abs(entry));
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const row = new Float64Array(n);
  let [residual, norm, orthogonality] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    row.fill(0);
    for (let k = 0; k < n; k++) {
      const entry = a[i * n + k]! / scale;
      norm += entry * entry;
      for (let j = 0; j < n; j++) row[j]! += entry * v[k * n + j]!;
    }
    for (let j = 0; j < n; j++) residual += (row[j]! - (v[i * n + j]! * values[j]!) / scale) ** 2;
  }
  const transposed = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) transposed[j * n + i] = v[i * n + j]!;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < n; k++) dot += transposed[i * n + k]! * transposed[j * n + k]!;
      orthogonality += (i === j ? 1 : 2) * (dot - (i === j ? 1 : 0)) ** 2;
    }
  }
  return {
    residual: residual === 0 ? 0 : Math.sqrt(residual / norm) / (n * U),
    orthogonality: Math.sqrt(orthogonality) / (n * U),
  };
}
