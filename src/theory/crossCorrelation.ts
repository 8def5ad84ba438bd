/**
 * The matrix that decides everything in the linear model: Γ, the symmetrised feature cross-correlation of the two views.
 * Role: turns raw view arrays into the float64 matrix whose eigenvalues are the rates of the steps.
 */
import { checkCount, checkFinite, checkLength } from "./inputChecks.ts";

/** Rows of the right factor kept hot in L2 while all left rows pass over them (32 rows · 2n · 8 bytes = 256 KiB at n = 500). */
const BLOCK = 32;

/**
 * Feature cross-correlation of n positive pairs, not centred and not standardised:
 *
 *   Γ = (1/2n) Σ_i (x_i x'_iᵀ + x'_i x_iᵀ),   so that C = W Γ Wᵀ for the linear model f(x) = W x.
 *
 * Γ may have negative eigenvalues. Written as Γ_ab = (1/2n) ⟨p_a, q_b⟩ with p_a = (x_·a, x'_·a) and q_b = (x'_·b, x_·b), both
 * of length 2n: one inner product per entry. Only b ≥ a is computed and then mirrored, so the result is exactly symmetric.
 *
 * @param viewsA first views x, [n, m] row-major, any unit u.
 * @param viewsB second views x', [n, m], same order of samples.
 * @param size   n: number of pairs (≥ 1), m: number of features (≥ 1).
 * @returns      Γ, float64 [m, m] row-major, unit u²; owned by the caller.
 * Accuracy      |δΓ_ab| ≤ γ_{2n+1} (1/2n) Σ_i (|x_ia x'_ib| + |x'_ia x_ib|), γ_k = k u/(1 − k u), u = 2⁻⁵³.
 * @throws EngineError THEORY-SHAPE when a size is not a positive integer or an array is not n·m long.
 * @throws EngineError THEORY-NONFINITE when a view holds NaN or infinity.
 * Source        Simon et al. 2023 (arXiv 2303.15438), section 4: linear Barlow Twins model.
 */
export function featureCrossCorrelation(
  viewsA: Float32Array | Float64Array,
  viewsB: Float32Array | Float64Array,
  size: { readonly n: number; readonly m: number },
): Float64Array {
  const { n, m } = size;
  checkCount("n", n, 1);
  checkCount("m", m, 1);
  checkLength("viewsA", viewsA, n * m, true);
  checkLength("viewsB", viewsB, n * m, true);
  checkFinite("viewsA", viewsA);
  checkFinite("viewsB", viewsB);

  // Padding to a multiple of four features lets the 4×2 tile run without edge cases; padded rows are zero.
  const padded = Math.ceil(m / 4) * 4;
  const length = 2 * n;
  const p = stackTransposed(viewsA, viewsB, n, m, padded);
  const q = stackTransposed(viewsB, viewsA, n, m, padded);
  const gamma = new Float64Array(m * m);
  const scale = 1 / length;

  for (let block = 0; block < padded; block += BLOCK) {
    const blockEnd = Math.min(block + BLOCK, padded);
    for (let a = 0; a < blockEnd; a += 4) {
      for (let b = Math.max(block, a); b < blockEnd; b += 2) {
        tile4x2(p, q, length, a, b, m, scale, gamma);
      }
    }
  }
  for (let a = 0; a < m; a++) {
    for (let b = 0; b < a; b++) gamma[a * m + b] = gamma[b * m + a] as number;
  }
  return gamma;
}

/** Rows a..a+3 of p against rows b..b+1 of q: eight running sums, the most that stay in registers in V8. */
function tile4x2(
  p: Float64Array,
  q: Float64Array,
  length: number,
  a: number,
  b: number,
  m: number,
  scale: number,
  gamma: Float64Array,
): void {
  const p0 = a * length;
  const p1 = p0 + length;
  const p2 = p1 + length;
  const p3 = p2 + length;
  const q0 = b * length;
  const q1 = q0 + length;
  let s00 = 0;
  let s01 = 0;
  let s10 = 0;
  let s11 = 0;
  let s20 = 0;
  let s21 = 0;
  let s30 = 0;
  let s31 = 0;
  for (let i = 0; i < length; i++) {
    const y0 = q[q0 + i] as number;
    const y1 = q[q1 + i] as number;
    const x0 = p[p0 + i] as number;
    const x1 = p[p1 + i] as number;
    const x2 = p[p2 + i] as number;
    const x3 = p[p3 + i] as number;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s30 += x3 * y0;
    s31 += x3 * y1;
  }
  const sums = [s00, s01, s10, s11, s20, s21, s30, s31];
  for (let r = 0; r < 4; r++) {
    for (let c = 0; c < 2; c++) {
      // Entries below the diagonal are computed by the tile but left to the mirror: one value per pair, hence exact symmetry.
      if (a + r < m && b + c < m && b + c >= a + r) {
        gamma[(a + r) * m + b + c] = (sums[2 * r + c] as number) * scale;
      }
    }
  }
}

/** [padded, 2n] with row f = (top[·, f], bottom[·, f]): features become contiguous, so the inner products stream. */
function stackTransposed(
  top: Float32Array | Float64Array,
  bottom: Float32Array | Float64Array,
  n: number,
  m: number,
  padded: number,
): Float64Array {
  const out = new Float64Array(padded * 2 * n);
  for (let i = 0; i < n; i++) {
    for (let f = 0; f < m; f++) {
      out[f * 2 * n + i] = top[i * m + f] as number;
      out[f * 2 * n + n + i] = bottom[i * m + f] as number;
    }
  }
  return out;
}
