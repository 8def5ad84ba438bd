/**
 * Effective initial amplitudes of the modes when training starts from a small random weight.
 * Role: turns the actual W(0) of a run into the s_j(0) that the aligned solution needs.
 */
import { EngineError } from "../errors.ts";
import { checkCount, checkFinite, checkLength } from "./inputChecks.ts";

export interface InitAmplitudes {
  /** s_j(0) = R_jj ≥ 0, [d]; 0 only when W₀ misses the first j eigenvectors exactly. */
  readonly amplitudes: Float64Array;
  /** Q, [d, d] row-major orthogonal: column j is the output direction that mode j takes. */
  readonly q: Float64Array;
  /** R = Qᵀ W₀ Vᵀ, [d, columns] row-major, upper trapezoidal with R_jj ≥ 0: the off-diagonal entries are the initial misalignment. */
  readonly r: Float64Array;
  /** Columns of r: one per row of `vectors`. */
  readonly columns: number;
}

/**
 * QR of the initial weight in the eigenbasis:  A = W₀ V = Q R with positive diagonal;  s_j(0) = R_jj,  U = Q.
 *
 * While all modes are small, column k of A grows as e^{4γ_k t}. The first mode therefore takes the output direction of a_1, the
 * second what a_2 has orthogonal to it, and so on: Gram–Schmidt in the order of the eigenvalues, which is QR. The trajectory tends to
 * the aligned one with these amplitudes as the scale of W₀ tends to 0.
 *
 * @param w0      the ACTUAL initial weight, its scale included, [d, m] row-major.
 * @param vectors eigenvectors of Γ as rows in descending order of eigenvalue, [k, m], k ≥ d (as from `symmetricEigen`).
 * @param size    d: embedding dimension, m: number of features, d ≤ m.
 * @throws EngineError THEORY-SHAPE (sizes, d > m, fewer than d eigenvectors), THEORY-NONFINITE.
 * Source         Simon et al. 2023 (arXiv 2303.15438), Result 4.6; Householder QR: Golub & Van Loan 4e, §5.2.
 */
export function initAmplitudes(
  w0: Float32Array | Float64Array,
  vectors: Float32Array | Float64Array,
  size: { readonly d: number; readonly m: number },
): InitAmplitudes {
  const { d, m } = size;
  checkCount("d", d, 1);
  checkCount("m", m, 1);
  if (d > m) {
    throw new EngineError({
      code: "THEORY-SHAPE",
      message: `The embedding dimension d = ${d} exceeds the number of features m = ${m}.`,
      fix: `Choose d <= ${m}; modes beyond the feature count do not exist.`,
      where: "d",
      detail: { d, m },
    });
  }
  checkLength("w0", w0, d * m, true);
  checkLength("vectors", vectors, d * m);
  checkFinite("w0", w0);
  checkFinite("vectors", vectors);
  const columns = Math.floor(vectors.length / m);

  const r = new Float64Array(d * columns);
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < columns; k++) {
      let sum = 0;
      for (let f = 0; f < m; f++) sum += (w0[i * m + f] as number) * (vectors[k * m + f] as number);
      r[i * columns + k] = sum;
    }
  }
  // An init scale of 1e-200 would square to zero; working relative to the largest entry keeps the reflectors exact.
  let scale = 0;
  for (const x of r) scale = Math.max(scale, Math.abs(x));
  if (scale > 0) for (let i = 0; i < r.length; i++) r[i] = (r[i] as number) / scale;

  const q = new Float64Array(d * d);
  for (let i = 0; i < d; i++) q[i * d + i] = 1;
  const v = new Float64Array(d);
  for (let j = 0; j < d; j++) reflectColumn(r, columns, q, d, j, v);
  for (let j = 0; j < d; j++) makeDiagonalPositive(r, columns, q, d, j);
  if (scale > 0) for (let i = 0; i < r.length; i++) r[i] = (r[i] as number) * scale;

  return { amplitudes: Float64Array.from({ length: d }, (_, j) => r[j * columns + j] as number), q, r, columns };
}

/** Householder step j: zeroes column j of r below the diagonal and accumulates the reflection in q from the right. */
function reflectColumn(r: Float64Array, columns: number, q: Float64Array, d: number, j: number, v: Float64Array): void {
  let norm2 = 0;
  for (let i = j; i < d; i++) norm2 += (r[i * columns + j] as number) ** 2;
  const head = r[j * columns + j] as number;
  const pivot = head >= 0 ? -Math.sqrt(norm2) : Math.sqrt(norm2);
  const half = norm2 - head * pivot; // vᵀv / 2
  if (half === 0) return;
  for (let i = j; i < d; i++) v[i] = r[i * columns + j] as number;
  v[j] = head - pivot;
  for (let k = j; k < columns; k++) {
    let dot = 0;
    for (let i = j; i < d; i++) dot += (v[i] as number) * (r[i * columns + k] as number);
    for (let i = j; i < d; i++) r[i * columns + k] = (r[i * columns + k] as number) - (dot / half) * (v[i] as number);
  }
  for (let i = 0; i < d; i++) {
    let dot = 0;
    for (let k = j; k < d; k++) dot += (q[i * d + k] as number) * (v[k] as number);
    for (let k = j; k < d; k++) q[i * d + k] = (q[i * d + k] as number) - (dot / half) * (v[k] as number);
  }
  for (let i = j + 1; i < d; i++) r[i * columns + j] = 0;
}

/** Flips row j of r and column j of q when R_jj is negative: the amplitude is a singular value, its sign belongs to Q. */
function makeDiagonalPositive(r: Float64Array, columns: number, q: Float64Array, d: number, j: number): void {
  if ((r[j * columns + j] as number) >= 0) return;
  for (let k = j; k < columns; k++) r[j * columns + k] = -(r[j * columns + k] as number);
  for (let i = 0; i < d; i++) q[i * d + j] = -(q[i * d + j] as number);
}
