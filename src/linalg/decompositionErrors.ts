/** How good a decomposition is, in float64 on the CPU. */

export interface DecompositionErrors {
  /** ‖A V − V diag(λ)‖_F / ‖A‖_F, or ‖Z V − U diag(σ)‖_F / ‖Z‖_F; 0 for a zero matrix. */
  readonly residual: number;
  /** ‖VᵀV − I‖_F, or √(‖UᵀU − I‖² + ‖VᵀV − I‖²). */
  readonly orthogonality: number;
  /** Columns that were measured; with fewer than all, both numbers are estimates scaled up from them. */
  readonly columns: number;
}

/**
 * @param a       [n, n] row-major, lower triangle read
 * @param vectors [n, n], eigenvectors as columns; `values` [n]
 * @param columns measure about as many columns, evenly spread (2n² multiply-adds each); all unless given
 */
export function decompositionErrors(
  a: ArrayLike<number>,
  values: ArrayLike<number>,
  vectors: ArrayLike<number>,
  n: number,
  columns = n,
): DecompositionErrors {
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = a[i * n + j] ?? Number.NaN;
      rows[i * n + j] = value;
      rows[j * n + i] = value;
    }
  }
  const basis = transposed(vectors, n, n);
  const sample = spread(n, columns);
  let residual = 0;
  for (const j of sample) {
    const vector = basis.subarray(j * n, (j + 1) * n);
    const value = values[j] ?? Number.NaN;
    for (let i = 0; i < n; i++) {
      residual += (dot(rows.subarray(i * n, (i + 1) * n), vector) - value * (vector[i] ?? 0)) ** 2;
    }
  }
  return scaledUp(residual, dot(rows, rows), offIdentity(basis, n, sample, n), n, sample.length);
}

/**
 * @param z     [rows, columns] row-major
 * @param left  [rows, k], `right` [columns, k], k = min(rows, columns); singular vectors as columns
 * @param count measure about as many of the k columns; all unless given
 */
export function singularErrors(
  z: ArrayLike<number>,
  values: ArrayLike<number>,
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  count = Math.min(rows, columns),
): DecompositionErrors {
  const k = Math.min(rows, columns);
  const matrix = Float64Array.from(z);
  // Along the longer side: where the shorter side's vectors are complete, what is measured is the whole matrix.
  const isWide = rows < columns;
  const [u, v] = [transposed(left, rows, k), transposed(right, columns, k)];
  const sample = spread(k, count);
  let residual = 0;
  for (const j of sample) {
    const value = values[j] ?? Number.NaN;
    const [us, vs] = [u.subarray(j * rows, (j + 1) * rows), v.subarray(j * columns, (j + 1) * columns)];
    if (isWide) {
      const product = new Float64Array(columns);
      for (let i = 0; i < rows; i++) {
        const weight = us[i] ?? 0;
        for (let c = 0; c < columns; c++) product[c] = (product[c] ?? 0) + weight * (matrix[i * columns + c] ?? 0);
      }
      for (let c = 0; c < columns; c++) residual += ((product[c] ?? 0) - value * (vs[c] ?? 0)) ** 2;
    } else {
      for (let i = 0; i < rows; i++) {
        residual += (dot(matrix.subarray(i * columns, (i + 1) * columns), vs) - value * (us[i] ?? 0)) ** 2;
      }
    }
  }
  const off = offIdentity(u, rows, sample, k) + offIdentity(v, columns, sample, k);
  return scaledUp(residual, dot(matrix, matrix), off, k, sample.length);
}

/** Columns that a number of multiply-adds pays for, at least eight. */
export function affordableColumns(total: number, costOfOne: number, budget: number): number {
  return Math.min(total, Math.max(8, Math.floor(budget / costOfOne)));
}

function scaledUp(residual: number, norm: number, off: number, all: number, measured: number): DecompositionErrors {
  const factor = all / measured;
  return {
    residual: norm === 0 ? 0 : Math.sqrt((factor * residual) / norm),
    orthogonality: Math.sqrt(factor * off),
    columns: measured,
  };
}

/** Σ (vᵢ·vⱼ − δᵢⱼ)² over all i of `count` and j of the sample; `basis` holds the vectors as rows of `length`. */
function offIdentity(basis: Float64Array, length: number, sample: readonly number[], count: number): number {
  let sum = 0;
  for (const j of sample) {
    const vector = basis.subarray(j * length, (j + 1) * length);
    for (let i = 0; i < count; i++) {
      sum += (dot(basis.subarray(i * length, (i + 1) * length), vector) - (i === j ? 1 : 0)) ** 2;
    }
  }
  return sum;
}

/** About `count` of 0 … total − 1, evenly spread, both ends among them. */
function spread(total: number, count: number): readonly number[] {
  if (count >= total) return Array.from({ length: total }, (_, j) => j);
  const step = (total - 1) / Math.max(1, count - 1);
  return Array.from({ length: count }, (_, j) => Math.round(j * step));
}

function transposed(matrix: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j] ?? Number.NaN;
  }
  return result;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
