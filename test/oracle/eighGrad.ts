/** Float64 reference of shaders/linalg/eigh_grad: M with dA = V·M·Vᵀ, written from dV = V·(F∘(Vᵀ·dA·V)), symmetrised. */

export interface EighCotangents {
  readonly values: ArrayLike<number>;
  /** Cotangent of the eigenvalues, [n]. */
  readonly dValues?: ArrayLike<number>;
  /** C = Vᵀ·dV, [n, n]. */
  readonly c?: ArrayLike<number>;
}

export function eighGrad({ values, dValues, c }: EighCotangents, n: number, gap: number): Float64Array {
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(values[i]!));
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    if (dValues) m[i * n + i] = dValues[i]!;
    for (let j = 0; j < n; j++) {
      if (!c || i === j) continue;
      const difference = values[j]! - values[i]!;
      if (Math.abs(difference) <= gap * largest) continue;
      const here = c[i * n + j]! / difference;
      const mirrored = c[j * n + i]! / -difference;
      m[i * n + j]! += (here + mirrored) / 2;
    }
  }
  return m;
}
