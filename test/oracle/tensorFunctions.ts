/** The functions of src/autodiff/functions.ts on float64 arrays, row-major, by plain loops: what gradients are differenced from. */

export function matmul(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  m: number,
  n: number,
  k: number,
  { transposeA = false, transposeB = false, scale = 1 }: { transposeA?: boolean; transposeB?: boolean; scale?: number },
): Float64Array {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = 0; l < k; l++)
        total += (transposeA ? a[l * m + i]! : a[i * k + l]!) * (transposeB ? b[j * k + l]! : b[l * n + j]!);
      y[i * n + j] = scale * total;
    }
  }
  return y;
}

export function broadcast(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  columns: number,
  kind: "none" | "row" | "column" | "scalar",
  f: (a: number, b: number) => number,
): Float64Array {
  const y = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = { none: i * columns + j, row: j, column: i, scalar: 0 }[kind];
      y[i * columns + j] = f(a[i * columns + j]!, b[at]!);
    }
  }
  return y;
}

export function sumOverRows(
  x: ArrayLike<number>,
  batch: number,
  rows: number,
  columns: number,
  factor: number,
): Float64Array {
  const y = new Float64Array(batch * columns);
  for (let g = 0; g < batch; g++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) y[g * columns + j]! += factor * x[(g * rows + i) * columns + j]!;
    }
  }
  return y;
}

export function sumOverColumns(
  x: ArrayLike<number>,
  rows: number,
  columns: number,
  factor: number,
  f: (x: number) => number,
): Float64Array {
  const y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[i]! += factor * f(x[i * columns + j]!);
  return y;
}

/** Centred columns, divided by √(biased variance + epsilon) unless epsilon is undefined. */
export function standardizeColumns(
  x: ArrayLike<number>,
  batch: number,
  rows: number,
  columns: number,
  epsilon: number | undefined,
): Float64Array {
  const y = new Float64Array(batch * rows * columns);
  for (let g = 0; g < batch; g++) {
    for (let j = 0; j < columns; j++) {
      const at = (i: number): number => (g * rows + i) * columns + j;
      let mean = 0;
      for (let i = 0; i < rows; i++) mean += x[at(i)]! / rows;
      let variance = 0;
      for (let i = 0; i < rows; i++) variance += (x[at(i)]! - mean) ** 2 / rows;
      const divisor = epsilon === undefined ? 1 : Math.sqrt(variance + epsilon);
      for (let i = 0; i < rows; i++) y[at(i)] = (x[at(i)]! - mean) / divisor;
    }
  }
  return y;
}

/** C = (1/n) Σ_k z_k z'_kᵀ, or its symmetric part. */
export function crossCorrelation(
  za: ArrayLike<number>,
  zb: ArrayLike<number>,
  n: number,
  d: number,
  symmetric: boolean,
): Float64Array {
  const c = new Float64Array(d * d);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        const forward = za[k * d + i]! * zb[k * d + j]!;
        const backward = zb[k * d + i]! * za[k * d + j]!;
        c[i * d + j]! += (symmetric ? (forward + backward) / 2 : forward) / n;
      }
    }
  }
  return c;
}

/** Σ_i (c_ii − 1)² + lambda·Σ_{i≠j} c_ij². */
export function frobeniusIdentity(c: ArrayLike<number>, d: number, lambda: number): Float64Array {
  let loss = 0;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) loss += i === j ? (c[i * d + j]! - 1) ** 2 : lambda * c[i * d + j]! ** 2;
  }
  return Float64Array.of(loss);
}

export function join(parts: readonly Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}
