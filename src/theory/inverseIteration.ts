/**
 * Eigenvectors of a symmetric tridiagonal matrix by inverse iteration, one at a time, for given eigenvalues.
 * Role: third stage of `symmetricEigen`; it costs O(n) per solve, so a few vectors of a large matrix are almost free.
 *
 * Each new vector is orthogonalised (twice) against all earlier ones inside the iteration. That is what makes repeated and
 * clustered eigenvalues safe: the solve only aims into the invariant subspace, the orthogonalisation chooses a new direction in it.
 * Source: Golub & Van Loan, Matrix Computations 4e, §8.2.2 and §8.4; Peters & Wilkinson 1971 (Handbook II/18, tristurm).
 */
import { EngineError } from "../errors.ts";
import type { Tridiagonal } from "./tridiagonal.ts";

const EPS = 2 ** -52;
/** Solves per random start, and random starts per vector. Two solves are the rule; the rest is for unlucky starts in clusters. */
const SOLVES = 5;
const STARTS = 8;

/** LU factors, with partial pivoting, of T − λ: three upper diagonals and the elimination record. */
interface ShiftedFactors {
  readonly u0: Float64Array;
  readonly u1: Float64Array;
  readonly u2: Float64Array;
  readonly multiplier: Float64Array;
  readonly swapped: Uint8Array;
}

/**
 * Unit eigenvectors of T for the given eigenvalues, in their order.
 *
 * @param t      tridiagonal matrix with entries of order one (the caller scales).
 * @param values eigenvalues wanted, accurate to a few ulp of ‖T‖, repeated ones repeated.
 * @returns      [values.length, n] row-major. Cost O(n · count²) from the orthogonalisation.
 * @throws EngineError THEORY-EIGEN when a vector's residual stays above 64 √n ε ‖T‖.
 */
export function tridiagonalEigenvectors(t: Tridiagonal, values: Float64Array): Float64Array {
  const n = t.n;
  const count = values.length;
  const vectors = new Float64Array(count * n);
  const norm = infinityNorm(t);
  const factors: ShiftedFactors = {
    u0: new Float64Array(n),
    u1: new Float64Array(n),
    u2: new Float64Array(n),
    multiplier: new Float64Array(n),
    swapped: new Uint8Array(n),
  };
  const random = pseudoRandom();
  for (let j = 0; j < count; j++) {
    const value = values[j] as number;
    factorShifted(t, value, EPS * (norm || 1), factors);
    iterate(t, value, norm, factors, vectors, j, random);
  }
  return vectors;
}

function iterate(
  t: Tridiagonal,
  value: number,
  norm: number,
  factors: ShiftedFactors,
  vectors: Float64Array,
  j: number,
  random: () => number,
): void {
  const n = t.n;
  const at = j * n;
  const accepted = 4 * Math.sqrt(n) * EPS * norm;
  let best = Number.POSITIVE_INFINITY;
  const bestVector = new Float64Array(n);
  for (let start = 0; start < STARTS; start++) {
    for (let i = 0; i < n; i++) vectors[at + i] = random();
    orthonormalise(vectors, n, j);
    for (let solve = 0; solve < SOLVES; solve++) {
      solveShifted(factors, vectors, at, n);
      if (!orthonormalise(vectors, n, j)) break;
      const residual = residualNorm(t, value, vectors, at);
      if (residual < best) {
        best = residual;
        bestVector.set(vectors.subarray(at, at + n));
      }
      // One more solve after the first good residual: it removes what the random start left of the neighbours.
      if (solve > 0 && best <= accepted) break;
    }
    if (best <= accepted) break;
  }
  vectors.set(bestVector, at);
  if (!(best <= 16 * accepted)) {
    throw new EngineError({
      code: "THEORY-EIGEN",
      message: `Eigenvector ${j} has residual ${best.toExponential(2)} against a limit of ${(16 * accepted).toExponential(2)}.`,
      fix: "Report the matrix; inverse iteration is expected to succeed on every finite symmetric matrix.",
      detail: { index: j, residual: best, value },
    });
  }
}

/** Row j ← unit vector orthogonal to rows 0..j−1 (Gram–Schmidt twice: the second pass repairs cancellation). False if nothing was left. */
function orthonormalise(vectors: Float64Array, n: number, j: number): boolean {
  const at = j * n;
  for (let pass = 0; pass < 2; pass++) {
    if (!normalise(vectors, at, n)) return false;
    for (let k = 0; k < j; k++) {
      const other = k * n;
      let dot = 0;
      for (let i = 0; i < n; i++) dot += (vectors[other + i] as number) * (vectors[at + i] as number);
      for (let i = 0; i < n; i++) vectors[at + i] = (vectors[at + i] as number) - dot * (vectors[other + i] as number);
    }
  }
  return normalise(vectors, at, n);
}

/** z[at .. at + n) ← unit vector; false if it is zero or not finite. Scaled by its largest entry first: solutions of a nearly singular system are huge. */
export function normalise(z: Float64Array, at: number, n: number): boolean {
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(z[at + i] as number));
  if (!(largest > 0) || !Number.isFinite(largest)) return false;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const v = (z[at + i] as number) / largest;
    z[at + i] = v;
    sum += v * v;
  }
  const inverse = 1 / Math.sqrt(sum);
  for (let i = 0; i < n; i++) z[at + i] = (z[at + i] as number) * inverse;
  return true;
}

/** Gaussian elimination of T − λ with partial pivoting; a vanishing pivot becomes ε‖T‖, as in Handbook II/18. */
function factorShifted(t: Tridiagonal, value: number, tiny: number, f: ShiftedFactors): void {
  const { n, diagonal, offDiagonal } = t;
  let pivot = (diagonal[0] as number) - value;
  let right = n > 1 ? (offDiagonal[1] as number) : 0;
  for (let i = 0; i < n - 1; i++) {
    const below = offDiagonal[i + 1] as number;
    const nextDiagonal = (diagonal[i + 1] as number) - value;
    const nextRight = i + 2 < n ? (offDiagonal[i + 2] as number) : 0;
    if (Math.abs(below) > Math.abs(pivot)) {
      const m = pivot / below;
      f.swapped[i] = 1;
      f.multiplier[i] = m;
      f.u0[i] = below;
      f.u1[i] = nextDiagonal;
      f.u2[i] = nextRight;
      pivot = right - m * nextDiagonal;
      right = -m * nextRight;
    } else {
      if (Math.abs(pivot) < tiny) pivot = pivot < 0 ? -tiny : tiny;
      const m = below / pivot;
      f.swapped[i] = 0;
      f.multiplier[i] = m;
      f.u0[i] = pivot;
      f.u1[i] = right;
      f.u2[i] = 0;
      pivot = nextDiagonal - m * right;
      right = nextRight;
    }
  }
  f.u0[n - 1] = Math.abs(pivot) < tiny ? (pivot < 0 ? -tiny : tiny) : pivot;
  f.u1[n - 1] = 0;
  f.u2[n - 1] = 0;
}

/** z ← (T − λ)⁻¹ z from the factors. */
function solveShifted(f: ShiftedFactors, z: Float64Array, at: number, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    const here = z[at + i] as number;
    const next = z[at + i + 1] as number;
    const m = f.multiplier[i] as number;
    if (f.swapped[i] === 1) {
      z[at + i] = next;
      z[at + i + 1] = here - m * next;
    } else {
      z[at + i + 1] = next - m * here;
    }
  }
  let z1 = 0;
  let z2 = 0;
  for (let i = n - 1; i >= 0; i--) {
    const x = ((z[at + i] as number) - (f.u1[i] as number) * z1 - (f.u2[i] as number) * z2) / (f.u0[i] as number);
    z[at + i] = x;
    z2 = z1;
    z1 = x;
  }
}

function residualNorm(t: Tridiagonal, value: number, z: Float64Array, at: number): number {
  const { n, diagonal, offDiagonal } = t;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let r = ((diagonal[i] as number) - value) * (z[at + i] as number);
    if (i > 0) r += (offDiagonal[i] as number) * (z[at + i - 1] as number);
    if (i + 1 < n) r += (offDiagonal[i + 1] as number) * (z[at + i + 1] as number);
    sum += r * r;
  }
  return Math.sqrt(sum);
}

function infinityNorm(t: Tridiagonal): number {
  let norm = 0;
  for (let i = 0; i < t.n; i++) {
    const after = i + 1 < t.n ? Math.abs(t.offDiagonal[i + 1] as number) : 0;
    norm = Math.max(norm, Math.abs(t.diagonal[i] as number) + Math.abs(t.offDiagonal[i] as number) + after);
  }
  return norm;
}

/** Deterministic start entries in (−1, 1): mulberry32 with a fixed seed, so equal input gives equal bits. */
function pseudoRandom(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return (((x ^ (x >>> 14)) >>> 0) + 0.5) / 2147483648 - 1;
  };
}
