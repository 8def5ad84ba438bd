/** Float64 reference of shaders/linalg/jacobi_eigh: row-cyclic Jacobi with plain loops (Golub & Van Loan 2013, §8.5). */

export interface Eigen {
  /** Descending. */
  readonly values: Float64Array;
  /** [n, n] row-major, column j for values[j]. */
  readonly vectors: Float64Array;
}

/** Eigenvalues and eigenvectors of the symmetric matrix whose lower triangle is that of a [n, n]. */
export function eigh(a: ArrayLike<number>, n: number): Eigen {
  const w = new Float64Array(n * n);
  const v = new Float64Array(n * n);
  let norm = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      w[i * n + j] = i >= j ? a[i * n + j]! : a[j * n + i]!;
      v[i * n + j] = i === j ? 1 : 0;
      norm += w[i * n + j]! ** 2;
    }
  }
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += 2 * w[i * n + j]! ** 2;
    if (off <= 1e-34 * norm) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (w[p * n + q] === 0) continue;
        const angle = 0.5 * Math.atan2(2 * w[p * n + q]!, w[q * n + q]! - w[p * n + p]!);
        const c = Math.cos(angle);
        const s = Math.sin(angle);
        for (let i = 0; i < n; i++) {
          const x = w[i * n + p]!;
          const y = w[i * n + q]!;
          w[i * n + p] = c * x - s * y;
          w[i * n + q] = s * x + c * y;
        }
        for (let i = 0; i < n; i++) {
          const x = w[p * n + i]!;
          const y = w[q * n + i]!;
          w[p * n + i] = c * x - s * y;
          w[q * n + i] = s * x + c * y;
        }
        for (let i = 0; i < n; i++) {
          const x = v[i * n + p]!;
          const y = v[i * n + q]!;
          v[i * n + p] = c * x - s * y;
          v[i * n + q] = s * x + c * y;
        }
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => w[j * n + j]! - w[i * n + i]!);
  const values = Float64Array.from(order, (i) => w[i * n + i]!);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) vectors[i * n + j] = v[i * n + order[j]!]!;
  return { values, vectors };
}

/** ‖A·V − V·diag(λ)‖_F, with A's lower triangle. */
export function residualNorm(a: ArrayLike<number>, n: number, { values, vectors }: EigenLike): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      for (let k = 0; k < n; k++) product += (i >= k ? a[i * n + k]! : a[k * n + i]!) * vectors[k * n + j]!;
      sum += (product - vectors[i * n + j]! * values[j]!) ** 2;
    }
  }
  return Math.sqrt(sum);
}

/** ‖VᵀV − I‖_F. */
export function orthogonalityError(vectors: ArrayLike<number>, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      for (let k = 0; k < n; k++) product += vectors[k * n + i]! * vectors[k * n + j]!;
      sum += (product - (i === j ? 1 : 0)) ** 2;
    }
  }
  return Math.sqrt(sum);
}

interface EigenLike {
  readonly values: ArrayLike<number>;
  readonly vectors: ArrayLike<number>;
}
