// The prescribed spectrum is there: in float64 to rounding, in float32 within the bound that rounding the views allows.

import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { gaussianPairs, gaussianPairs64 } from "../../src/data/syntheticSpectrum.ts";
import { expectCode } from "./support.ts";

const U64 = 2 ** -53;
const U32 = 2 ** -24;

/** Γ = (1/2n) Σ (x x'ᵀ + x' xᵀ), from the definition. */
function gammaMatrix(a: ArrayLike<number>, b: ArrayLike<number>, n: number, m: number): Matrix {
  const gamma = Matrix.zeros(m, m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < m; k++) {
        const sum = a[i * m + j]! * b[i * m + k]! + b[i * m + j]! * a[i * m + k]!;
        gamma.set(j, k, gamma.get(j, k) + sum / (2 * n));
      }
    }
  }
  return gamma;
}

const ascending = (values: ArrayLike<number>) => Array.from(values).sort((x, y) => x - y);
const eigenvalues = (matrix: Matrix) =>
  ascending(new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues);
const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));

const cases = [
  { name: "staircase", gammas: [4, 2, 1, 0.5, 0.25], n: 64, seed: 1, noise: 0.1 },
  { name: "negative, zero and repeated", gammas: [3, 1, 1, 0, -0.5, -2], n: 200, seed: 2, noise: 0.3 },
  { name: "no noise", gammas: [1, 0.1, -0.1], n: 10, seed: 3, noise: 0 },
  { name: "n = m", gammas: [2, 1, 0.5, -1, 3, 0.1, 0.2], n: 7, seed: 4, noise: 0.5 },
  { name: "m above the number of gammas", gammas: [1, -1], m: 6, n: 40, seed: 5, noise: 0.2 },
  { name: "one dimension, one pair", gammas: [-3], n: 1, seed: 6, noise: 0 },
];

describe.each(cases)("gaussianPairs, $name", (options) => {
  const m = options.m ?? options.gammas.length;
  const expected = ascending([...options.gammas, ...new Array(m - options.gammas.length).fill(0)]);

  it("float64: Γ = V diag(γ) Vᵀ to rounding", () => {
    const { viewsA, viewsB, basis, gammas, n } = gaussianPairs64(options);
    expect([n, viewsA.length, viewsB.length]).toEqual([options.n, options.n * m, options.n * m]);
    expect(ascending(gammas)).toEqual(expected);
    const gamma = gammaMatrix(viewsA, viewsB, n, m);
    // Products of sums over m and n terms: |ΔΓ|_F ≤ c·(n + 4m)·u·‖X‖‖X'‖/n; QR's own error is of the same form. c = 4.
    const bound = (4 * (n + 4 * m) * U64 * norm(viewsA) * norm(viewsB)) / n;
    const v = Matrix.from1DArray(m, m, Array.from(basis));
    const rebuilt = v.mmul(Matrix.diag(Array.from(gammas))).mmul(v.transpose());
    expect(Matrix.sub(gamma, rebuilt).norm("frobenius")).toBeLessThanOrEqual(bound);
    expect(v.transpose().mmul(v).sub(Matrix.eye(m)).norm("frobenius")).toBeLessThanOrEqual(8 * m * m * U64);
    // Independently of V: eigenvalues by ml-matrix, within Weyl's bound and its own rounding.
    eigenvalues(gamma).forEach((value, j) => {
      expect(Math.abs(value - expected[j]!)).toBeLessThanOrEqual(bound + 16 * m * U64 * norm(expected));
    });
  });

  it("float32: eigenvalues within the bound of rounding", () => {
    const exact = gaussianPairs64(options);
    const { viewsA, viewsB, n } = gaussianPairs(options);
    expect(viewsA).toEqual(new Float32Array(exact.viewsA));
    expect(viewsB).toEqual(new Float32Array(exact.viewsB));
    // |x − f32(x)| ≤ u|x| entrywise, hence ‖ΔΓ‖_F ≤ (2u + u²)‖X‖‖X'‖/n, and Weyl. Slack 1e-12 for the float64 steps.
    const bound = ((2 * U32 + U32 * U32) * norm(exact.viewsA) * norm(exact.viewsB)) / n + 1e-12;
    eigenvalues(gammaMatrix(viewsA, viewsB, n, m)).forEach((value, j) => {
      expect(Math.abs(value - expected[j]!)).toBeLessThanOrEqual(bound);
    });
  });
});

describe("gaussianPairs", () => {
  const base = { gammas: [2, 1, -0.5], n: 50, seed: 1, noise: 0.25 };

  it("the views differ by the noise asked for: (A − B)/2 has second moment noise² + max(0, −γ) along V", () => {
    const { viewsA, viewsB, basis, n, m } = gaussianPairs64(base);
    [0.0625, 0.0625, 0.5625].forEach((expected, j) => {
      let moment = 0;
      for (let i = 0; i < n; i++) {
        let along = 0;
        for (let k = 0; k < m; k++) along += ((viewsA[i * m + k]! - viewsB[i * m + k]!) / 2) * basis[k * m + j]!;
        moment += (along * along) / n;
      }
      expect(moment).toBeCloseTo(expected, 12);
    });
  });

  it("the basis stays orthonormal where the random columns were nearly parallel", () => {
    // In two dimensions a few of 3000 seeds draw columns within 1e-3 of parallel, where one Gram–Schmidt pass leaves 1e3·u.
    // Two passes leave: rounding of the projection 2u, of the subtraction u, of the norm u; the dot product here 2u. Twice that.
    for (let seed = 0; seed < 3000; seed++) {
      const { basis } = gaussianPairs64({ gammas: [1, 2], n: 2, seed, noise: 0 });
      const [a, b, c, d] = basis as unknown as [number, number, number, number];
      const error = Math.max(Math.abs(a * b + c * d), Math.abs(a * a + c * c - 1), Math.abs(b * b + d * d - 1));
      if (!(error <= 12 * U64)) expect.fail(`seed ${seed}: |VᵀV − I| = ${error / U64} u`);
    }
  });

  it("without noise and without negative eigenvalues the views are equal", () => {
    const { viewsA, viewsB } = gaussianPairs({ ...base, gammas: [2, 1, 0.5], noise: 0 });
    expect(viewsA).toEqual(viewsB);
  });

  it("repeats with the seed and changes with it; the basis does not depend on n", () => {
    expect(gaussianPairs(base)).toEqual(gaussianPairs(base));
    expect(gaussianPairs({ ...base, seed: 2 }).viewsA).not.toEqual(gaussianPairs(base).viewsA);
    expect(gaussianPairs({ ...base, n: 60 }).basis).toEqual(gaussianPairs(base).basis);
  });

  it("refuses n < m (but not n = m), naming both", async () => {
    expect(gaussianPairs({ ...base, n: 3 }).n).toBe(3);
    const error = await expectCode("DATA-TOO-FEW-PAIRS", () => gaussianPairs({ ...base, n: 2 }));
    expect(error.detail).toEqual({ n: 2, m: 3 });
    expect(error.message).toMatch(/n = 2 .*m = 3/);
  });

  it.each([
    { noise: -0.1 },
    { noise: Number.NaN },
    { gammas: [] },
    { gammas: [1, Number.POSITIVE_INFINITY] },
    { m: 2 },
    { n: 0 },
    { n: 2.5 },
    { seed: -1 },
  ])("refuses %j", async (change) => {
    await expectCode("DATA-OPTION", () => gaussianPairs({ ...base, ...change }));
  });
});
