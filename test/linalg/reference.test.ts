/** The float64 references against one another, against ml-matrix, and against spectra known in closed form. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { symmetricEigen } from "../../src/theory/symmetricEigen.ts";
import { eigh } from "../oracle/eigh.ts";
import { SeededNormals } from "../oracle/seededNormals.ts";
import { svd } from "../oracle/svd.ts";
import { FAMILY_NAMES, symmetricFamily, withSpectrum } from "../oracle/symmetricFamilies.ts";
import { eigenvalueError, eighErrors, referenceEigenvalues } from "../oracle/tridiagonalEigen.ts";

/** Unit roundoff of float64. */
const U64 = 2 ** -53;
const largestOf = (values: ArrayLike<number>): number =>
  Array.from(values, Math.abs).reduce((x, y) => Math.max(x, y), 0);

function expectWithin(values: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  for (let i = 0; i < expected.length; i++) expect(Math.abs(values[i]! - expected[i]!)).toBeLessThanOrEqual(tolerance);
}

describe("references", () => {
  it.each(FAMILY_NAMES)("%s: tridiagonal QL, cyclic Jacobi and ml-matrix agree to n·u64·|λ|_max", (family) => {
    for (const n of [1, 2, 5, 33, 48]) {
      const a = symmetricFamily(family, n);
      const values = referenceEigenvalues(a, n);
      // ml-matrix squares numbers without scaling, which is exact by a power of two.
      const scale = 2 ** -Math.floor(Math.log2(largestOf(a) || 1));
      const scaled = Array.from(a, (x) => x * scale);
      const tolerance = 4 * n * U64 * largestOf(values);
      expectWithin(
        values,
        eigh(scaled, n).values.map((x) => x / scale),
        tolerance,
      );
      const matrix = Matrix.from1DArray(n, n, scaled);
      const peer = new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues;
      expectWithin(
        values,
        peer.map((x) => x / scale).sort((x, y) => y - x),
        tolerance,
      );
    }
  });

  it("n = 512: min(i, j) and the second difference have the eigenvalues of their closed forms", () => {
    const n = 512;
    const index = Array.from({ length: n }, (_, k) => k + 1);
    const smaller = Float64Array.from({ length: n * n }, (_, at) => 1 + Math.min(Math.floor(at / n), at % n));
    const exact = index.map((k) => 0.25 / Math.sin(((k - 0.5) * Math.PI) / (2 * n + 1)) ** 2);
    expectWithin(symmetricEigen(smaller, n, { count: 0 }).values, exact, n * U64 * exact[0]!);
    const second = Float64Array.from({ length: n * n }, (_, at) => {
      const gap = Math.abs(Math.floor(at / n) - (at % n));
      return gap === 0 ? 2 : gap === 1 ? -1 : 0;
    });
    const cosines = index.map((k) => 4 * Math.sin((k * Math.PI) / (2 * n + 2)) ** 2).reverse();
    expectWithin(symmetricEigen(second, n, { count: 0 }).values, cosines, n * U64 * 4);
  });

  it("withSpectrum has the spectrum, to the rounding of its entries to f32", () => {
    // Weyl: eigenvalues move by at most ‖δA‖₂ ≤ ‖δA‖_F ≤ u·‖A‖_F.
    const spectrum = Array.from({ length: 40 }, (_, i) => 10 ** (-i / 10));
    const values = referenceEigenvalues(withSpectrum(spectrum, 3), 40);
    expectWithin(values, spectrum, 2 ** -24 * Math.hypot(...spectrum));
    expect(largestOf(values.map((x, i) => x - spectrum[i]!))).toBeGreaterThan(0);
  });

  it("families are symmetric to the last bit, finite, and depend on the seed where they have one", () => {
    for (const family of FAMILY_NAMES) {
      const a = symmetricFamily(family, 7, 1);
      for (let i = 0; i < 49; i++) expect(a[i]).toBe(a[(i % 7) * 7 + Math.floor(i / 7)]);
      expect(a.every(Number.isFinite)).toBe(true);
    }
    expect(symmetricFamily("random", 7, 1)).not.toEqual(symmetricFamily("random", 7, 2));
    // The classic figure: W21⁺'s largest pair agrees to 7.6e-14 relative and is still two eigenvalues.
    const pair = referenceEigenvalues(symmetricFamily("wilkinson", 21), 21);
    expect(pair[0]).toBeCloseTo(10.746194182903393, 12);
    expect(pair[1]).toBeCloseTo(10.746194182903322, 12);
  });

  it("the errors that are reported are those of their definition", () => {
    const n = 6;
    const a = symmetricFamily("random", n);
    const exact = eigh(a, n);
    const values = Float32Array.from(exact.values);
    const vectors = Float32Array.from(exact.vectors);
    // Rounding alone: below one unit each; a spoilt value or vector shows.
    const rounded = eighErrors(a, n, { values, vectors });
    expect(largestOf([rounded.eigenvalue, rounded.residual, rounded.orthogonality])).toBeLessThan(1);
    const spoilt = vectors.map((x, at) => (at === 3 ? x + 1e-3 : x));
    const { residual, orthogonality } = eighErrors(a, n, { values, vectors: spoilt });
    expect(residual).toBeGreaterThan(100);
    expect(orthogonality).toBeGreaterThan(100);
    const unit = Math.sqrt(n) * 2 ** -24 * largestOf(exact.values);
    expect(
      eigenvalueError(
        values.map((x) => x + 1e-3),
        exact.values,
      ) * unit,
    ).toBeCloseTo(1e-3, 5);
    expect(eigenvalueError([Number.NaN, 0], [1, 0])).toBeNaN();
    expect(eigenvalueError([0, 0], [0, 0])).toBe(0);
    expect(eigenvalueError([1e-40, 0], [0, 0])).toBe(Number.POSITIVE_INFINITY);
  });

  it("one-sided Jacobi in float64 agrees with the eigenvalues of ZᵀZ and keeps scaled columns relative", () => {
    const [rows, columns] = [40, 12];
    const source = new SeededNormals(4);
    const g = Float64Array.from({ length: rows * columns }, () => source.next());
    const { values: sigma } = svd(g, rows, columns);
    const gram = new Float64Array(columns * columns);
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < rows; k++) gram[i * columns + j]! += g[k * columns + i]! * g[k * columns + j]!;
    expectWithin(
      sigma.map((s) => s * s),
      eigh(gram, columns).values,
      100 * U64 * sigma[0]! ** 2,
    );
    // Orthogonal columns with norms 10^-12 … 1: each singular value is a norm, to u64.
    const diagonal = new Float64Array(rows * columns);
    for (let j = 0; j < columns; j++) diagonal[j * columns + j] = 10 ** -j;
    const exact = Array.from({ length: columns }, (_, j) => 10 ** -j);
    svd(diagonal, rows, columns).values.forEach((s, j) => {
      expect(Math.abs(s - exact[j]!)).toBeLessThanOrEqual(4 * U64 * exact[j]!);
    });
  });
});
