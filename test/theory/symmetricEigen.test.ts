import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { symmetricEigen } from "../../src/theory/index.ts";
import { fromSpectrum, normals, orthogonal, referenceEigenvalues, U } from "./support.ts";

/**
 * Norm-wise backward stability: Householder and QL each commit a small multiple of n u ‖A‖_F (Golub & Van Loan 4e, §8.3.1); C is that
 * multiple, as claimed in the docstring. Residuals add what inverse iteration accepts, 4 √n ε ‖T‖_∞ with ε = 2u and
 * ‖T‖_∞ ≤ √3 ‖A‖_F (three entries per row): 14 √n u ‖A‖_F. Vectors are normalised last, so a unit norm is right to the rounding of n + 8
 * operations; angles keep what Gram–Schmidt twice and the back-transformation leave, of the same order.
 */
const C = 2;

function check(a: Float64Array, n: number, count = n): void {
  const original = a.slice();
  const { values, vectors } = symmetricEigen(a, n, { count });
  expect(a).toEqual(original);
  expect(values.length).toBe(n);
  expect(vectors.length).toBe(count * n);
  const norm = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  const bound = C * n * U * norm;

  const expected = referenceEigenvalues(a, n);
  for (let j = 0; j < n; j++) {
    // Two backward-stable solvers: each within the bound of the exact value.
    expect(Math.abs(values[j]! - expected[j]!)).toBeLessThanOrEqual(2 * bound);
    if (j > 0) expect(values[j]!).toBeLessThanOrEqual(values[j - 1]!);
  }
  for (let j = 0; j < count; j++) {
    let residual = 0;
    let pivot = 0;
    for (let i = 0; i < n; i++) {
      let sum = -values[j]! * vectors[j * n + i]!;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * vectors[j * n + k]!;
      residual += sum * sum;
      if (Math.abs(vectors[j * n + i]!) > Math.abs(pivot)) pivot = vectors[j * n + i]!;
    }
    expect(Math.sqrt(residual)).toBeLessThanOrEqual(bound + 14 * Math.sqrt(n) * U * norm);
    expect(pivot).toBeGreaterThan(0);
    for (let k = 0; k <= j; k++) {
      let dot = 0;
      for (let i = 0; i < n; i++) dot += vectors[j * n + i]! * vectors[k * n + i]!;
      expect(Math.abs(dot - (j === k ? 1 : 0))).toBeLessThanOrEqual(C * (n + 8) * U);
    }
  }
}

function randomSymmetric(n: number, seed: number): Float64Array {
  const x = normals(n * n, seed);
  return Float64Array.from({ length: n * n }, (_, i) => x[i]! + x[(i % n) * n + Math.floor(i / n)]!);
}

const spectra: [string, (j: number, n: number) => number][] = [
  ["all equal", () => 3],
  ["two values", (j) => (j % 2 ? -1 : 1)],
  ["pairs", (j) => 1.3 ** -Math.floor(j / 2)],
  ["clusters of 1e-14", (j) => Math.floor(j / 5) + 1e-14 * j],
  ["clusters of 1e-8", (j) => Math.floor(j / 5) + 1e-8 * j],
  ["rank 3", (j) => (j < 3 ? 3 - j : 0)],
  ["graded to 1e-18", (j, n) => 10 ** ((-18 * j) / n)],
  ["indefinite", (j, n) => n / 2 - j],
];

describe("against ml-matrix, residual and orthogonality", () => {
  test.each([1, 2, 3, 5, 16, 37, 120, 200])("random, n = %i", (n) => check(randomSymmetric(n, n), n));

  test.each(spectra)("%s", (_name, value) => {
    for (const n of [2, 7, 48]) {
      const values = Array.from({ length: n }, (_, j) => value(j, n));
      check(fromSpectrum(values, orthogonal(n, 7 * n)), n);
    }
  });

  test("leading 12 of n = 400 with a decaying spectrum", () => {
    const x = normals(400 * 400, 5);
    const a = Float64Array.from({ length: 400 * 400 }, (_, i) => {
      const r = Math.floor(i / 400);
      const c = i % 400;
      return (x[i]! + x[c * 400 + r]!) / (1 + 0.1 * r) / (1 + 0.1 * c);
    });
    check(a, 400, 12);
  });

  test("special structure: zero, diagonal, Hilbert, Wilkinson W21+, block-decoupled", () => {
    check(new Float64Array(25), 5);
    check(Float64Array.of(0), 1);
    check(Float64Array.of(-2), 1);
    check(Float64Array.of(0, 1, 1, 0), 2);
    check(
      Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? [3, -1, 3, 0, 2, 3][i / 7]! : 0)),
      6,
    );
    check(
      Float64Array.from({ length: 144 }, (_, i) => 1 / (Math.floor(i / 12) + (i % 12) + 1)),
      12,
    );
    const wilkinson = new Float64Array(441);
    for (let i = 0; i < 21; i++) {
      wilkinson[i * 22] = Math.abs(i - 10);
      if (i > 0) wilkinson[i * 21 + i - 1] = wilkinson[(i - 1) * 21 + i] = 1;
    }
    check(wilkinson, 21);
    const blocks = new Float64Array(100);
    for (let b = 0; b < 5; b++) blocks.set([2, 1], 22 * b);
    for (let b = 0; b < 5; b++) blocks.set([1, 2], 22 * b + 10);
    check(blocks, 10);
  });

  test("glued Wilkinson: many nearly equal eigenvalues in weakly coupled blocks", () => {
    const n = 105;
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      a[i * n + i] = Math.abs((i % 21) - 10);
      if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = i % 21 === 0 ? 1e-10 : 1;
    }
    check(a, n);
  });

  test("integer matrices, small and often degenerate", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }).chain((n) =>
          fc.record({
            n: fc.constant(n),
            x: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: n * n, maxLength: n * n }),
          }),
        ),
        ({ n, x }) => {
          const a = Float64Array.from(x, (_, i) => x[i]! + x[(i % n) * n + Math.floor(i / n)]!);
          check(a, n);
        },
      ),
      { numRuns: 300, seed: 20230327 },
    );
  });

  test("extreme scales are only scales", () => {
    const a = randomSymmetric(9, 3);
    const plain = symmetricEigen(a, 9);
    for (const scale of [2 ** 900, 2 ** -900]) {
      const scaled = symmetricEigen(
        a.map((x) => x * scale),
        9,
      );
      expect(scaled.vectors).toEqual(plain.vectors);
      expect(scaled.values).toEqual(plain.values.map((x) => x * scale));
    }
  });

  test("recovers known eigenpairs: signs and order", () => {
    const { values, vectors } = symmetricEigen(Float64Array.of(0, 2, 2, 3), 2);
    expect(values[0]).toBeCloseTo(4, 14);
    expect(values[1]).toBeCloseTo(-1, 14);
    const root5 = Math.sqrt(5);
    [1 / root5, 2 / root5, 2 / root5, -1 / root5].forEach((x, i) => {
      expect(vectors[i]).toBeCloseTo(x, 14);
    });
  });
});

test("only the lower triangle is read, count is clipped, count 0 gives no vectors", () => {
  const { values, vectors } = symmetricEigen(Float64Array.of(2, 99, 1, 2), 2, { count: 5 });
  expect(values[0]).toBeCloseTo(3, 14);
  expect(vectors.length).toBe(4);
  expect(symmetricEigen(Float64Array.of(2, 1, 1, 2), 2, { count: 0 }).vectors.length).toBe(0);
});

test("equal input gives equal bits", () => {
  const a = randomSymmetric(30, 8);
  expect(symmetricEigen(a, 30)).toEqual(symmetricEigen(a.slice(), 30));
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %f", (bad) => {
  expect(() => symmetricEigen(Float64Array.of(1, 0, bad, 1), 2)).toThrowError(
    expect.objectContaining({ code: "THEORY-NONFINITE" }),
  );
});

test("refuses a wrong length", () => {
  expect(() => symmetricEigen(new Float64Array(5), 2)).toThrowError(expect.objectContaining({ code: "THEORY-SHAPE" }));
});
