/**
 * Symmetric matrices by family, order and seed: what the eigen-solver is held to. Each is made in float64 and rounded to f32 once; a
 * reference solves the rounded matrix.
 *
 * Source: prescribed spectra as LAPACK's test generator `dlatms` (LAPACK Working Note 9), Q by Stewart 1980; Wilkinson 1965, p. 308.
 */
import { SeededNormals } from "./seededNormals.ts";

type Entry = (i: number, j: number) => number;

/** Families with an entry for every order n ≥ 1. */
export const SYMMETRIC_FAMILIES = {
  /** Gaussian orthogonal ensemble, spectrum in about [−√2, √2]·… of a semicircle. */
  random: (n, seed) => {
    const source = new SeededNormals(seed);
    return fromEntries(n, () => source.next() / Math.sqrt(n));
  },
  "algebraic decay": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 1 / (i + 1)),
      seed,
    ),
  "geometric decay, 6 decades": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 10 ** (-6 * fraction(i, n))),
      seed,
    ),
  "geometric decay, 14 decades": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 10 ** (-14 * fraction(i, n))),
      seed,
    ),
  "arithmetic, both signs": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 1 - 2 * fraction(i, n)),
      seed,
    ),
  hilbert: (n) => fromEntries(n, (i, j) => 1 / (i + j + 1)),
  /** W_n⁺ for odd n; even n: the same formula, whose diagonal then holds half-integers. */
  wilkinson: (n) => fromEntries(n, (i, j) => (i === j ? Math.abs(i - (n - 1) / 2) : Math.abs(i - j) === 1 ? 1 : 0)),
  /** (F + Fᵀ)/2 of Frank's upper Hessenberg matrix, F_ij = n − max(i, j) for j ≥ i − 1, indices from 0. */
  frank: (n) => {
    const frank: Entry = (i, j) => (j >= i - 1 ? n - Math.max(i, j) : 0);
    return fromEntries(n, (i, j) => (frank(i, j) + frank(j, i)) / 2);
  },
  /** Four clusters at 1, −½, 10⁻³ and 0, 10⁻⁷ wide. */
  clustered: (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => [1, -0.5, 1e-3, 0][i % 4]! + 1e-7 * fraction(i, n)),
      seed,
    ),
  /** D·B·D with entries from 1 down to 10⁻¹² and B well-conditioned. */
  graded: (n, seed) => {
    const source = new SeededNormals(seed);
    const d = byIndex(n, (i) => 10 ** (-6 * fraction(i, n)));
    return fromEntries(n, (i, j) => d[i]! * d[j]! * (i === j ? 1 : (0.2 * source.next()) / Math.sqrt(n)));
  },
  "low rank": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => (i <= n / 8 ? 1 / (i + 1) : 0)),
      seed,
    ),
  "rank one": (n, seed) => {
    const source = new SeededNormals(seed);
    const v = byIndex(n, () => source.next());
    return fromEntries(n, (i, j) => v[i]! * v[j]!);
  },
  repeated: (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 1 + (i % 3)),
      seed,
    ),
  identity: (n) => fromEntries(n, (i, j) => (i === j ? 1 : 0)),
  zero: (n) => fromEntries(n, () => 0),
  /** Largest eigenvalue 3.2·10³⁸ of f32's 3.4·10³⁸: squares and norms overflow. */
  "near f32's largest": (n, seed) =>
    withSpectrum(
      byIndex(n, (i) => 3.2e38 * (1 - 0.9 * fraction(i, n))),
      seed,
    ),
} as const satisfies Readonly<Record<string, (n: number, seed: number) => Float32Array>>;

export type SymmetricFamily = keyof typeof SYMMETRIC_FAMILIES;

export const FAMILY_NAMES = Object.keys(SYMMETRIC_FAMILIES) as readonly SymmetricFamily[];

/** f32[n, n] row-major, symmetric to the last bit. */
export function symmetricFamily(family: SymmetricFamily, n: number, seed = n): Float32Array {
  return SYMMETRIC_FAMILIES[family](n, seed);
}

/**
 * Q·diag(spectrum)·Qᵀ with Q Haar-distributed: a product of Householder reflections of random vectors of length 2 … n, each applied as a
 * rank-two update.
 */
export function withSpectrum(spectrum: readonly number[], seed: number): Float32Array {
  const n = spectrum.length;
  const source = new SeededNormals(seed);
  // Scaled, so that products stay finite for spectra near f32's largest.
  const scale = Math.max(...spectrum.map(Math.abs), Number.MIN_VALUE);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = spectrum[i]! / scale;
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let start = n - 2; start >= 0; start--) {
    let norm = 0;
    for (let i = start; i < n; i++) {
      v[i] = source.next();
      norm += v[i]! ** 2;
    }
    const h = 2 / norm;
    // Rows and columns before `start` are still diagonal.
    let vw = 0;
    for (let i = start; i < n; i++) {
      let sum = 0;
      for (let j = start; j < n; j++) sum += a[i * n + j]! * v[j]!;
      w[i] = h * sum;
      vw += v[i]! * w[i]!;
    }
    for (let i = start; i < n; i++) w[i]! -= 0.5 * h * vw * v[i]!;
    for (let i = start; i < n; i++) {
      for (let j = start; j < n; j++) a[i * n + j]! -= v[i]! * w[j]! + w[i]! * v[j]!;
    }
  }
  return fromEntries(n, (i, j) => a[i * n + j]! * scale);
}

function byIndex(n: number, f: (i: number) => number): number[] {
  return Array.from({ length: n }, (_, i) => f(i));
}

/** 0 for the first of n, 1 for the last. */
function fraction(i: number, n: number): number {
  return n === 1 ? 0 : i / (n - 1);
}

/** From the entries with i ≥ j, mirrored. */
function fromEntries(n: number, entry: Entry): Float32Array {
  const a = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      a[i * n + j] = entry(i, j);
      a[j * n + i] = a[i * n + j]!;
    }
  }
  return a;
}
