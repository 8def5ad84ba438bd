// Gaussian positive pairs whose empirical cross-correlation has exactly the eigenvalues asked for.

import { assertFinite, assertInteger, dataError } from "./dataError.ts";
import { CounterRandom, MAX_SEED, RandomStream } from "./random.ts";

export interface GaussianPairsOptions {
  /** Eigenvalues of Γ, in any order, of either sign; where there are fewer than `m`, the others are 0. */
  readonly gammas: readonly number[];
  /** Number of pairs, at least `m`. */
  readonly n: number;
  /** Dimension; the number of `gammas` unless told. */
  readonly m?: number;
  /** u32 */
  readonly seed: number;
  /** Standard deviation, along each eigenvector, of half the difference of the views: β² = noise² + max(0, −γ). */
  readonly noise: number;
}

export interface GaussianPairs<Views> {
  /** Row-major `[n, m]`. */
  readonly viewsA: Views;
  /** Row-major `[n, m]`; row i is the partner of row i of `viewsA`. */
  readonly viewsB: Views;
  readonly n: number;
  readonly m: number;
  /** Eigenvalues of Γ; number j belongs to column j of `basis`. */
  readonly gammas: Float64Array<ArrayBuffer>;
  /** Row-major `[m, m]`: orthonormal eigenvectors of Γ in its columns. */
  readonly basis: Float64Array<ArrayBuffer>;
}

/**
 * Positive pairs (x_i, x'_i) with a prescribed spectrum, in float32.
 *
 *   Γ = (1/2n) Σ_i (x_i x'_iᵀ + x'_i x_iᵀ) = V diag(γ) Vᵀ      exactly, for this sample and not only in expectation
 *
 * With x = a + b and x' = a − b, Γ = (AᵀA − BᵀB)/n. A and B have Gaussian columns made orthonormal, so that
 * AᵀA/n = V diag(α²) Vᵀ and BᵀB/n = V diag(β²) Vᵀ, with β² = noise² + max(0, −γ) and α² = γ + β². V is a random rotation.
 * The data is not centred. Takes O(n·m²) operations on the CPU.
 *
 * Accuracy: that of `gaussianPairs64`, then rounding each element to float32.
 *
 * @throws EngineError DATA-OPTION; DATA-TOO-FEW-PAIRS when n < m, since the rank of AᵀA is at most n
 */
export function gaussianPairs(options: GaussianPairsOptions): GaussianPairs<Float32Array<ArrayBuffer>> {
  const pairs = gaussianPairs64(options);
  return { ...pairs, viewsA: new Float32Array(pairs.viewsA), viewsB: new Float32Array(pairs.viewsB) };
}

/** `gaussianPairs` before rounding to float32: Γ is exact to float64 rounding. */
export function gaussianPairs64(options: GaussianPairsOptions): GaussianPairs<Float64Array<ArrayBuffer>> {
  const { n, m, gammas } = checkOptions(options);
  const { seed, noise } = options;
  const columnsA = orthonormalColumns(new CounterRandom(seed, RandomStream.data), n, m);
  const columnsB = orthonormalColumns(new CounterRandom(seed, RandomStream.noise), n, m);
  const basisColumns = orthonormalColumns(new CounterRandom(seed, RandomStream.rotation), m, m);

  const viewsA = new Float64Array(n * m);
  const viewsB = new Float64Array(n * m);
  for (let j = 0; j < m; j++) {
    const gamma = gammas[j] as number;
    const beta = Math.sqrt(noise * noise + Math.max(0, -gamma));
    const alpha = Math.sqrt(noise * noise + Math.max(0, gamma));
    const scaleA = alpha * Math.sqrt(n);
    const scaleB = beta * Math.sqrt(n);
    for (let i = 0; i < n; i++) {
      const a = scaleA * (columnsA[j * n + i] as number);
      const b = scaleB * (columnsB[j * n + i] as number);
      for (let k = 0; k < m; k++) {
        const direction = basisColumns[j * m + k] as number;
        viewsA[i * m + k] = (viewsA[i * m + k] as number) + (a + b) * direction;
        viewsB[i * m + k] = (viewsB[i * m + k] as number) + (a - b) * direction;
      }
    }
  }
  const basis = new Float64Array(m * m);
  for (let j = 0; j < m; j++) {
    for (let k = 0; k < m; k++) basis[k * m + j] = basisColumns[j * m + k] as number;
  }
  return { viewsA, viewsB, n, m, gammas, basis };
}

function checkOptions(options: GaussianPairsOptions) {
  const where = "gaussianPairs";
  const m = options.m ?? options.gammas.length;
  assertInteger(where, "seed", options.seed, 0, MAX_SEED);
  assertFinite(where, "noise", options.noise, 0);
  assertInteger(where, "m", m, Math.max(1, options.gammas.length), 1 << 16);
  assertInteger(where, "n", options.n, 1, 1 << 28);
  options.gammas.forEach((gamma, j) => {
    assertFinite(where, `gammas[${j}]`, gamma);
  });
  if (options.n < m) {
    throw dataError(
      "DATA-TOO-FEW-PAIRS",
      where,
      `n = ${options.n} pairs are fewer than the dimension m = ${m}: an exact spectrum needs n ≥ m.`,
      `Ask for at least ${m} pairs, or for a dimension of at most ${options.n}.`,
      { n: options.n, m },
    );
  }
  const gammas = new Float64Array(m);
  gammas.set(options.gammas);
  return { n: options.n, m, gammas };
}

/**
 * `count` orthonormal columns of length `length`, column after column, from Gaussian ones by Gram–Schmidt, each column
 * orthogonalised twice, which leaves ‖QᵀQ − I‖ of the order of float64 rounding ("twice is enough", Giraud et al. 2005).
 * R has a positive diagonal, so Q is uniformly distributed (Haar).
 */
function orthonormalColumns(random: CounterRandom, length: number, count: number): Float64Array<ArrayBuffer> {
  const columns = random.normals(length * count);
  for (let j = 0; j < count; j++) {
    const column = columns.subarray(j * length, (j + 1) * length);
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < j; k++) {
        const other = columns.subarray(k * length, (k + 1) * length);
        const projection = dot(column, other);
        for (let i = 0; i < length; i++) column[i] = (column[i] as number) - projection * (other[i] as number);
      }
    }
    const norm = Math.sqrt(dot(column, column));
    for (let i = 0; i < length; i++) column[i] = (column[i] as number) / norm;
  }
  return columns;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
