import { describe, expect, test } from "vitest";
import { featureCrossCorrelation } from "../../src/theory/index.ts";
import { normals, U } from "./support.ts";

/** Plain triple loop from the definition, with the sum of magnitudes that the error bound needs. */
function reference(x: ArrayLike<number>, y: ArrayLike<number>, n: number, m: number) {
  const gamma = new Float64Array(m * m);
  const magnitude = new Float64Array(m * m);
  for (let a = 0; a < m; a++) {
    for (let b = 0; b < m; b++) {
      for (let i = 0; i < n; i++) {
        const p = x[i * m + a]! * y[i * m + b]!;
        const q = y[i * m + a]! * x[i * m + b]!;
        gamma[a * m + b]! += (p + q) / (2 * n);
        magnitude[a * m + b]! += (Math.abs(p) + Math.abs(q)) / (2 * n);
      }
    }
  }
  return { gamma, magnitude };
}

describe("featureCrossCorrelation", () => {
  // 1, primes, one below/at/above the tile of 4 and the block of 32.
  test.each([
    [1, 1],
    [3, 2],
    [5, 3],
    [4, 4],
    [7, 5],
    [11, 31],
    [13, 32],
    [17, 33],
    [2, 67],
  ])("equals the triple loop and is exactly symmetric, n = %i, m = %i", (n, m) => {
    const x = normals(n * m, 100 + m);
    const y = normals(n * m, 200 + m);
    const gamma = featureCrossCorrelation(x, y, { n, m });
    const expected = reference(x, y, n, m);
    for (let i = 0; i < m * m; i++) {
      // Both sums have 2n products and 2n additions in some order: each within γ_{2n+1} of exact.
      const bound = 2 * (2 * n + 2) * U * expected.magnitude[i]!;
      expect(Math.abs(gamma[i]! - expected.gamma[i]!)).toBeLessThanOrEqual(bound);
      expect(gamma[i]).toBe(gamma[(i % m) * m + Math.floor(i / m)]);
    }
  });

  test("float32 views are read exactly, and swapping the views changes nothing beyond rounding", () => {
    const x = Float32Array.from(normals(20 * 9, 1));
    const y = Float32Array.from(normals(20 * 9, 2));
    const gamma = featureCrossCorrelation(x, y, { n: 20, m: 9 });
    const wide = featureCrossCorrelation(Float64Array.from(x), Float64Array.from(y), { n: 20, m: 9 });
    expect(gamma).toEqual(wide);
    const swapped = featureCrossCorrelation(y, x, { n: 20, m: 9 });
    const { magnitude } = reference(x, y, 20, 9);
    for (let i = 0; i < 81; i++) {
      expect(Math.abs(gamma[i]! - swapped[i]!)).toBeLessThanOrEqual(2 * 42 * U * magnitude[i]!);
    }
  });

  test("opposite views give a negative definite matrix", () => {
    const gamma = featureCrossCorrelation(Float64Array.of(1, 0, 0, 1), Float64Array.of(-1, 0, 0, -1), { n: 2, m: 2 });
    expect(Array.from(gamma, (g) => g + 0)).toEqual([-0.5, 0, 0, -0.5]);
  });

  test("names sizes and NaN", () => {
    const x = new Float64Array(6);
    expect(() => featureCrossCorrelation(x, x, { n: 2, m: 2 })).toThrowError(
      expect.objectContaining({ code: "THEORY-SHAPE", where: "viewsA" }),
    );
    expect(() => featureCrossCorrelation(x, x, { n: 0, m: 2 })).toThrowError(
      expect.objectContaining({ code: "THEORY-SHAPE", where: "n" }),
    );
    const bad = Float64Array.of(0, 0, 0, Number.NaN, 0, 0);
    expect(() => featureCrossCorrelation(x, bad, { n: 3, m: 2 })).toThrowError(
      expect.objectContaining({ code: "THEORY-NONFINITE", message: expect.stringContaining("viewsB[3]") }),
    );
  });
});
