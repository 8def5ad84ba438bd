/** Float64 references of shaders/linalg/symmetric_power and its cotangent, by plain sums over the decomposition. */

function power(value: number, exponent: number, threshold: number): number {
  return value > threshold ? value ** exponent : 0;
}

function threshold(values: ArrayLike<number>, n: number, cutoff: number): number {
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return cutoff * largest;
}

/** Σ_k v_ik·f(λ_k)·v_jk; with `magnitude` the sum of absolute terms. */
export function symmetricPower(
  values: ArrayLike<number>,
  vectors: ArrayLike<number>,
  n: number,
  exponent: number,
  cutoff: number,
  magnitude = false,
): Float64Array {
  const limit = threshold(values, n, cutoff);
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) {
      const term = vectors[i * n + k]! * power(values[k]!, exponent, limit) * vectors[j * n + k]!;
      sum += magnitude ? Math.abs(term) : term;
    }
    return sum;
  });
}

/** Divided difference of f at two eigenvalues, in float64 straight from the definition. */
export function dividedDifference(x: number, y: number, exponent: number, limit: number): number {
  if (x <= limit && y <= limit) return 0;
  if (x === y) return exponent * x ** (exponent - 1);
  return (power(x, exponent, limit) - power(y, exponent, limit)) / (x - y);
}

/** M_ij = ½(g_ij + g_ji)·φ(λ_i, λ_j). */
export function symmetricPowerGrad(
  values: ArrayLike<number>,
  g: ArrayLike<number>,
  n: number,
  exponent: number,
  cutoff: number,
): Float64Array {
  const limit = threshold(values, n, cutoff);
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return ((g[at]! + g[j * n + i]!) / 2) * dividedDifference(values[i]!, values[j]!, exponent, limit);
  });
}
