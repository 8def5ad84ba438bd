/**
 * Householder reduction of a symmetric matrix to tridiagonal form, and implicit QL for the eigenvalues of that form.
 * Role: the first two stages of `symmetricEigen`; the reflectors stay stored so that single eigenvectors can be carried back.
 *
 * Source: Golub & Van Loan, Matrix Computations 4e, §8.3; Bowdler, Martin, Reinsch & Wilkinson 1968 (Handbook II/3, tred2 and tql1).
 */
import { EngineError } from "../errors.ts";

/** T = Q₁ᵀ A Q₁ with the reflectors of Q₁ in the strict lower triangle's rows of `a`. */
export interface Tridiagonal {
  readonly n: number;
  /** Diagonal of T, [n]. */
  readonly diagonal: Float64Array;
  /** offDiagonal[i] = T[i, i−1]; entry 0 is 0. [n] */
  readonly offDiagonal: Float64Array;
  /** Row i holds the Householder vector v_i (length i) of P_i = I − v_i v_iᵀ / halfNorm[i]. [n, n] */
  readonly reflectors: Float64Array;
  /** v_iᵀ v_i / 2; 0 means P_i = I. [n] */
  readonly halfNorm: Float64Array;
}

/**
 * Reduces `a` to tridiagonal form in place, from the last row up, so that every Householder vector is a contiguous row.
 * Only the lower triangle is read; it is overwritten. 4/3 n³ flops.
 * @param a symmetric, finite, [n, n] row-major, owned by the caller and destroyed here.
 */
export function tridiagonalise(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n);
  const halfNorm = new Float64Array(n);
  const p = new Float64Array(n);
  for (let i = n - 1; i >= 1; i--) {
    const row = i * n;
    diagonal[i] = a[row + i] as number;
    // The row is scaled by its largest entry: squares of a tiny row would underflow and lose the reflector.
    let scale = 0;
    for (let k = 0; k < i - 1; k++) scale = Math.max(scale, Math.abs(a[row + k] as number));
    if (scale === 0) {
      offDiagonal[i] = a[row + i - 1] as number;
      continue;
    }
    scale = Math.max(scale, Math.abs(a[row + i - 1] as number));
    let h = 0;
    for (let k = 0; k < i; k++) {
      const v = (a[row + k] as number) / scale;
      a[row + k] = v;
      h += v * v;
    }
    const f = a[row + i - 1] as number;
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h);
    offDiagonal[i] = scale * g;
    h -= f * g;
    a[row + i - 1] = f - g;
    halfNorm[i] = h;
    applySymmetric(a, n, i, p);
    rankTwoUpdate(a, n, i, p, h);
  }
  diagonal[0] = a[0] as number;
  return { n, diagonal, offDiagonal, reflectors: a, halfNorm };
}

/** p = A_i v_i with A_i the leading i×i block; each stored entry serves its mirror image too, so the triangle is read once. */
function applySymmetric(a: Float64Array, n: number, i: number, p: Float64Array): void {
  const v = i * n;
  p.fill(0, 0, i);
  for (let r = 0; r < i; r++) {
    const row = r * n;
    const vr = a[v + r] as number;
    let sum = (a[row + r] as number) * vr;
    for (let c = 0; c < r; c++) {
      const entry = a[row + c] as number;
      sum += entry * (a[v + c] as number);
      p[c] = (p[c] as number) + entry * vr;
    }
    p[r] = (p[r] as number) + sum;
  }
}

/** A_i ← P_i A_i P_i = A_i − v qᵀ − q vᵀ with q = p/h − (vᵀp / 2h²) v, lower triangle only. */
function rankTwoUpdate(a: Float64Array, n: number, i: number, p: Float64Array, h: number): void {
  const v = i * n;
  let dot = 0;
  for (let r = 0; r < i; r++) {
    p[r] = (p[r] as number) / h;
    dot += (p[r] as number) * (a[v + r] as number);
  }
  const shift = dot / (2 * h);
  for (let r = 0; r < i; r++) p[r] = (p[r] as number) - shift * (a[v + r] as number);
  for (let r = 0; r < i; r++) {
    const row = r * n;
    const vr = a[v + r] as number;
    const qr = p[r] as number;
    for (let c = 0; c <= r; c++) {
      a[row + c] = (a[row + c] as number) - (vr * (p[c] as number) + qr * (a[v + c] as number));
    }
  }
}

/** z ← Q₁ z: carries an eigenvector of T (at `offset` in `z`, length n) back to the original basis. 2 n² flops. */
export function backTransform(t: Tridiagonal, z: Float64Array, offset: number): void {
  const { n, reflectors, halfNorm } = t;
  for (let i = 2; i < n; i++) {
    const h = halfNorm[i] as number;
    if (h === 0) continue;
    const row = i * n;
    let dot = 0;
    for (let k = 0; k < i; k++) dot += (reflectors[row + k] as number) * (z[offset + k] as number);
    const factor = dot / h;
    for (let k = 0; k < i; k++) z[offset + k] = (z[offset + k] as number) - factor * (reflectors[row + k] as number);
  }
}

/** Sweeps allowed per eigenvalue; about 1.7 are used on average and the classical limit is 30. */
const MAX_SWEEPS = 60;

/**
 * All eigenvalues of T in descending order, by implicit QL with Wilkinson shifts. O(n²).
 * @throws EngineError THEORY-EIGEN when a value has not converged after 60 sweeps (not known to happen for finite input).
 */
export function tridiagonalEigenvalues(t: Tridiagonal): Float64Array {
  const n = t.n;
  const d = Float64Array.from(t.diagonal);
  const e = new Float64Array(n);
  for (let i = 1; i < n; i++) e[i - 1] = t.offDiagonal[i] as number;
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      const end = firstSplit(d, e, l, n);
      if (end === l) break;
      if (sweep === MAX_SWEEPS) {
        throw new EngineError({
          code: "THEORY-EIGEN",
          message: `Eigenvalue ${l} of ${n} did not converge in ${MAX_SWEEPS} QL sweeps.`,
          fix: "Report the matrix; every finite symmetric matrix is expected to converge.",
          detail: { n, index: l, remaining: e[l] },
        });
      }
      qlSweep(d, e, l, end);
    }
  }
  return d.sort().reverse();
}

/** Smallest index ≥ l whose coupling to the next is negligible against its two neighbours on the diagonal. */
function firstSplit(d: Float64Array, e: Float64Array, l: number, n: number): number {
  for (let k = l; k < n - 1; k++) {
    const size = Math.abs(d[k] as number) + Math.abs(d[k + 1] as number);
    // Adding and comparing is the exact machine-precision test; it also accepts e = 0 beside a zero diagonal.
    if (Math.abs(e[k] as number) + size === size) return k;
  }
  return n - 1;
}

/** One implicit QL sweep on the unreduced block l..end. */
function qlSweep(d: Float64Array, e: Float64Array, l: number, end: number): void {
  const el = e[l] as number;
  let g = ((d[l + 1] as number) - (d[l] as number)) / (2 * el);
  let r = Math.hypot(g, 1);
  g = (d[end] as number) - (d[l] as number) + el / (g + (g >= 0 ? r : -r));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = end - 1; i >= l; i--) {
    const f = s * (e[i] as number);
    const b = c * (e[i] as number);
    r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      // The sweep split the block itself: undo the pending shift and start again on the smaller block.
      d[i + 1] = (d[i + 1] as number) - p;
      e[end] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = (d[i + 1] as number) - p;
    r = ((d[i] as number) - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[l] = (d[l] as number) - p;
  e[l] = g;
  e[end] = 0;
}
