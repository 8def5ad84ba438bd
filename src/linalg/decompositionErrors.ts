/** How good a decomposition is, in float64 on the CPU. */

export interface DecompositionErrors {
  /** ‖A V − V diag(λ)‖_F / ‖A‖_F; 0 for a zero matrix. */
  readonly residual: number;
  /** ‖VᵀV − I‖_F */
  readonly orthogonality: number;
}

/** @param a [n, n] row-major, lower triangle read; `vectors` [n, n] with eigenvectors as columns; `values` [n] */
export function decompositionErrors(
  a: ArrayLike<number>,
  values: ArrayLike<number>,
  vectors: ArrayLike<number>,
  n: number,
): DecompositionErrors {
  const at = (array: ArrayLike<number>, row: number, column: number): number => array[row * n + column] ?? Number.NaN;
  let residual = 0;
  let norm = 0;
  let orthogonality = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      let inner = 0;
      for (let k = 0; k < n; k++) {
        product += at(a, Math.max(i, k), Math.min(i, k)) * at(vectors, k, j);
        inner += at(vectors, k, i) * at(vectors, k, j);
      }
      residual += (product - at(vectors, i, j) * (values[j] ?? Number.NaN)) ** 2;
      norm += at(a, Math.max(i, j), Math.min(i, j)) ** 2;
      orthogonality += (inner - (i === j ? 1 : 0)) ** 2;
    }
  }
  return { residual: norm === 0 ? 0 : Math.sqrt(residual / norm), orthogonality: Math.sqrt(orthogonality) };
}
