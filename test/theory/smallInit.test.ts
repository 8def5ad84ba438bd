import { describe, expect, test } from "vitest";
import { gapAdmits, initAmplitudes, stepTime, symmetricEigen } from "../../src/theory/index.ts";
import { flowStepTimes, fromSpectrum, multiply, normals, orthogonal, transpose, U } from "./support.ts";

describe("initAmplitudes", () => {
  test.each([
    [1, 1, 1],
    [1, 5, 3],
    [4, 12, 4],
    [4, 12, 9],
    [7, 7, 7],
  ])("A = Q R with positive diagonal, d = %i, m = %i, %i vectors", (d, m, k) => {
    const w0 = normals(d * m, 3, 1e-3);
    const vectors = orthogonal(m, 4).slice(0, k * m);
    const { amplitudes, q, r, columns } = initAmplitudes(w0, vectors, { d, m });
    expect(columns).toBe(k);
    const a = multiply(w0, transpose(vectors, k, m), d, m, k);
    const product = multiply(q, r, d, d, k);
    const gram = multiply(transpose(q, d, d), q, d, d, d);
    const norm = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
    // Householder QR: ‖A − QR‖ ≤ c·d·u·‖A‖ per column with c a small constant; forming A costs γ_m.
    for (let i = 0; i < d * k; i++) expect(Math.abs(product[i]! - a[i]!)).toBeLessThanOrEqual((8 * d + m) * U * norm);
    for (let i = 0; i < d * d; i++) {
      expect(Math.abs(gram[i]! - (i % (d + 1) === 0 ? 1 : 0))).toBeLessThanOrEqual(8 * d * U);
    }
    for (let i = 0; i < d; i++) {
      expect(amplitudes[i]).toBe(r[i * k + i]);
      expect(amplitudes[i]!).toBeGreaterThan(0);
      for (let j = 0; j < i; j++) expect(r[i * k + j]).toBe(0);
    }
  });

  test("aligned initial weight: amplitudes are its singular values, whatever U", () => {
    const v = orthogonal(6, 1).slice(0, 18);
    const u = orthogonal(3, 2);
    const s = [0.5, 1e-3, 2e-6];
    const scaled = v.map((x, i) => x * s[Math.floor(i / 6)]!);
    const { amplitudes } = initAmplitudes(multiply(u, scaled, 3, 3, 6), v, { d: 3, m: 6 });
    // Forward error of QR for a graded column: relative to the largest column it was mixed with, u·0.5·12.
    s.forEach((expected, j) => {
      expect(Math.abs(amplitudes[j]! - expected)).toBeLessThan(12 * U * 0.5);
    });
  });

  test("scales exactly with the init scale, even where squares underflow", () => {
    const w0 = normals(12, 5);
    const v = orthogonal(4, 6);
    const plain = initAmplitudes(w0, v, { d: 3, m: 4 });
    const tiny = initAmplitudes(
      w0.map((x) => x * 2 ** -700),
      v,
      { d: 3, m: 4 },
    );
    for (let j = 0; j < 3; j++) {
      expect(Math.abs(tiny.amplitudes[j]! * 2 ** 700 - plain.amplitudes[j]!)).toBeLessThanOrEqual(4 * U);
    }
    expect(Array.from(initAmplitudes(new Float64Array(4), v, { d: 1, m: 4 }).amplitudes)).toEqual([0]);
  });

  test("refuses d > m, too few eigenvectors, NaN", () => {
    const code = (c: string) => expect.objectContaining({ code: c });
    expect(() => initAmplitudes(new Float64Array(6), new Float64Array(4), { d: 3, m: 2 })).toThrowError(
      code("THEORY-SHAPE"),
    );
    expect(() => initAmplitudes(new Float64Array(6), new Float64Array(3), { d: 2, m: 3 })).toThrowError(
      code("THEORY-SHAPE"),
    );
    expect(() => initAmplitudes(Float64Array.of(Number.NaN), Float64Array.of(1), { d: 1, m: 1 })).toThrowError(
      code("THEORY-NONFINITE"),
    );
  });
});

describe("predicted against measured step times: m = 12, d = 4, gamma_j = 1.5^-j and four negative modes", () => {
  const gammas = [0, 1, 2, 3, 4, 5, 6, 7].map((j) => 1.5 ** -j).concat([-0.1, -0.2, -0.3, -0.4]);
  const basis = orthogonal(12, 77);
  const gamma = fromSpectrum(gammas, basis);
  const { values, vectors } = symmetricEigen(gamma, 12);

  function run(alpha: number, seed: number) {
    const w0 = normals(48, seed, alpha);
    const { amplitudes, r, columns } = initAmplitudes(w0, vectors, { d: 4, m: 12 });
    const predicted = Array.from(amplitudes, (s, j) => stepTime(values[j]!, s));
    // RK4 with 4γ₁h = 0.08: growth rates off by (0.08)⁴/120 = 3.4e-7, so times up to 15 by 5e-6.
    const measured = flowStepTimes(w0, { d: 4, m: 12, gamma }, 2 * Math.max(...predicted), 0.02);
    const { estimatedRelativeError } = gapAdmits({
      gammas: values,
      amplitudes,
      d: 4,
      tolerance: 0.02,
      misalignment: { r, columns },
    });
    return { predicted, measured, estimatedRelativeError, alpha, amplitudes };
  }

  // Two draws without an accidentally small R_jj (0.62 and 0.81 at least). Small ones cost more: seed 6, R_44 = 0.17, is off by 0.023.
  test.each([4, 7])("within 1e-3 at alpha = 1e-4 for all four modes, seed %i", (seed) => {
    const { predicted, measured, alpha } = run(1e-4, seed);
    predicted.forEach((tau, j) => {
      expect(Math.abs(measured[j]! - tau)).toBeLessThan(1e-3);
    });
    // Control: the naive amplitude s_j(0) = α instead of R_jj misses at least one mode by far more.
    const naive = measured.map((t, j) => Math.abs(t - stepTime(values[j]!, alpha)));
    expect(Math.max(...naive)).toBeGreaterThan(0.1);
  });

  test.each([1, 2, 3, 4, 5, 6, 8, 10])("within the estimated error at alpha = 1e-3 and 1e-4, seed %i", (seed) => {
    for (const alpha of [1e-3, 1e-4]) checkEstimate(alpha, seed);
  });

  function checkEstimate(alpha: number, seed: number): void {
    const { predicted, measured, estimatedRelativeError } = run(alpha, seed);
    predicted.forEach((tau, j) => {
      expect(Math.abs(measured[j]! - tau) / tau).toBeLessThanOrEqual(estimatedRelativeError[j]! + 1e-6);
    });
  }
});
