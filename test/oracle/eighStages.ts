/** Float64 references of the kernels before and after the rounds of block Jacobi, shaders/linalg/eigh_*, with plain loops. */

/** Largest |entry| of the lower triangle of a [n, n]; NaN when there is one. */
export function largestMagnitude(a: ArrayLike<number>, n: number): number {
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      if (Number.isNaN(a[i * n + j]!)) return Number.NaN;
      largest = Math.max(largest, Math.abs(a[i * n + j]!));
    }
  }
  return largest;
}

/** The matrix scaled to a largest entry in [1, 2), symmetrised from its lower triangle, padded by zeros to `padded`; all zero if not finite. */
export function scaledAndPadded(a: ArrayLike<number>, n: number, padded: number): Float64Array {
  const w = new Float64Array(padded * padded);
  const largest = largestMagnitude(a, n);
  if (!(largest > 0 && largest < Infinity)) return w;
  const scale = 2 ** -Math.floor(Math.log2(largest));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) w[i * padded + j] = a[Math.max(i, j) * n + Math.min(i, j)]! * scale;
  }
  return w;
}

/** Σ_{i≠j} w², Σ w². */
export function squareSums(w: ArrayLike<number>, n: number): [off: number, all: number] {
  let [off, all] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const square = w[i * n + j]! ** 2;
      all += square;
      if (i !== j) off += square;
    }
  }
  return [off, all];
}

/** Indices of the numbers, larger ones first; equal ones keep their order. */
export function descendingOrder(values: ArrayLike<number>): number[] {
  return Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[j]! - values[i]! || i - j);
}
