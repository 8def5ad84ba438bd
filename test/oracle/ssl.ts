/** Float64 references of shaders/ssl. */

/**
 * C[i, j] = scale·Σ_k a[k, i]·b[k, j]; with symmetric, scale/2·Σ_k (a[k, i]·b[k, j] + b[k, i]·a[k, j]).
 * a and b are [rows, columns].
 */
export function crossCorrelation(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { rows, columns, scale, symmetric }: { rows: number; columns: number; scale: number; symmetric: boolean },
): Float64Array {
  const c = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < rows; k++) {
        const forward = a[k * columns + i]! * b[k * columns + j]!;
        const backward = b[k * columns + i]! * a[k * columns + j]!;
        sum += symmetric ? (forward + backward) / 2 : forward;
      }
      c[i * columns + j] = scale * sum;
    }
  }
  return c;
}

/** Cotangents of crossCorrelation: d_a[k, i] = Σ_j ∂C, summed over every entry of C that a[k, i] enters; d_b likewise. */
export function crossCorrelationGrad(
  dC: ArrayLike<number>,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { rows, columns, scale, symmetric }: { rows: number; columns: number; scale: number; symmetric: boolean },
): { dA: Float64Array; dB: Float64Array } {
  const dA = new Float64Array(rows * columns);
  const dB = new Float64Array(rows * columns);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      const weight = symmetric ? scale / 2 : scale;
      for (let k = 0; k < rows; k++) {
        dA[k * columns + i]! += weight * dC[i * columns + j]! * b[k * columns + j]!;
        dB[k * columns + j]! += weight * dC[i * columns + j]! * a[k * columns + i]!;
        if (symmetric) {
          dB[k * columns + i]! += weight * dC[i * columns + j]! * a[k * columns + j]!;
          dA[k * columns + j]! += weight * dC[i * columns + j]! * b[k * columns + i]!;
        }
      }
    }
  }
  return { dA, dB };
}

/** loss = Σ_i (c[i, i] − 1)² + offDiagonal·Σ_{i≠j} c[i, j]²; d loss / d c = 2·residual. Every term of the loss is non-negative. */
export function frobeniusIdentity(
  c: ArrayLike<number>,
  { n, offDiagonal }: { n: number; offDiagonal: number },
): { loss: number; residual: Float64Array } {
  const residual = new Float64Array(n * n);
  let loss = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const value = c[i * n + j]!;
      if (i === j) {
        loss += (value - 1) ** 2;
        residual[i * n + j] = value - 1;
      } else {
        loss += offDiagonal * value ** 2;
        residual[i * n + j] = offDiagonal * value;
      }
    }
  }
  return { loss, residual };
}
