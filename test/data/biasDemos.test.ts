// The two toy data sets: what is shared, what is fresh, and the eigenvalues of Γ.

import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { amplitudeBias, type BiasDemo, extentBias } from "../../src/data/biasDemos.ts";
import { expectCode } from "./support.ts";

/** eᵀ Γ f with Γ = (1/2n) Σ (x x'ᵀ + x' xᵀ). */
function gammaForm(demo: BiasDemo, e: Float64Array, f: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < demo.n; i++) {
    const project = (view: Float32Array, vector: Float64Array) =>
      vector.reduce((dot, value, k) => dot + value * view[i * demo.m + k]!, 0);
    sum += project(demo.viewsA, e) * project(demo.viewsB, f) + project(demo.viewsB, e) * project(demo.viewsA, f);
  }
  return sum / (2 * demo.n);
}

function gammaEigenvalues(demo: BiasDemo): number[] {
  const { n, m } = demo;
  const a = Matrix.from1DArray(n, m, Array.from(demo.viewsA));
  const b = Matrix.from1DArray(n, m, Array.from(demo.viewsB));
  const cross = a.transpose().mmul(b).div(n);
  const gamma = Matrix.add(cross, cross.transpose()).div(2);
  return new EigenvalueDecomposition(gamma, { assumeSymmetric: true }).realEigenvalues.sort((x, y) => y - x);
}

/** Sizes, unit and orthogonal features, eigenvalues. */
function checkDemo(demo: BiasDemo, noise: number, gammas: readonly [number, number]) {
  expect([demo.viewsA.length, demo.viewsB.length]).toEqual([demo.n * demo.m, demo.n * demo.m]);
  const [strong, weak] = demo.features as [BiasDemo["features"][0], BiasDemo["features"][0]];
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, k) => sum + value * y[k]!, 0);
  expect(dot(strong.vector, strong.vector)).toBeCloseTo(1, 12);
  expect(dot(weak.vector, weak.vector)).toBeCloseTo(1, 12);
  expect(dot(strong.vector, weak.vector)).toBeCloseTo(0, 12);
  expect(strong.gamma).toBeCloseTo(gammas[0], 10);
  expect(weak.gamma).toBeCloseTo(gammas[1], 10);

  // eᵀΓe = mean of (±√γ + ε)(±√γ + ε'): sd of each product ≤ √(2γ)·noise + noise²; 6 standard errors, 1e-5·γ for float32.
  for (const { vector, gamma } of demo.features) {
    const sd = (Math.sqrt(2 * gamma) * noise + noise * noise) / Math.sqrt(demo.n);
    expect(Math.abs(gammaForm(demo, vector, vector) - gamma)).toBeLessThan(6 * sd + 1e-5 * gamma);
  }
  // b_1·b_2 averages to 0 with standard error 1/√n, so the off-diagonal element is √(γ1γ2) times that.
  const cross = gammaForm(demo, strong.vector, weak.vector);
  expect(Math.abs(cross)).toBeLessThan((6 * Math.sqrt(strong.gamma * weak.gamma)) / Math.sqrt(demo.n));
  // Γ = S + E, with S of rank 2 on the features and E from noise. Gaussian norms with 6 sd to spare:
  //   ‖E₁‖ ≤ √2·noise·(√m + 6)/√n·Σ√γ (signal × noise),  ‖E₂‖ ≤ noise²·(√n + √m + 6)(2√m + 6)/n (noise × noise)
  const { n, m } = demo;
  const roots = Math.sqrt(strong.gamma) + Math.sqrt(weak.gamma);
  const e1 = (Math.SQRT2 * noise * (Math.sqrt(m) + 6) * roots) / Math.sqrt(n);
  const e2 = (noise * noise * (Math.sqrt(n) + Math.sqrt(m) + 6) * (2 * Math.sqrt(m) + 6)) / n;
  const rounding = 1e-6 * strong.gamma; // views in float32: 2u·‖X‖‖X'‖/n
  // Weyl; S's off-diagonal element is `cross` up to ‖E‖.
  const values = gammaEigenvalues(demo);
  const shift = Math.abs(cross) + 2 * (e1 + e2) + rounding;
  expect(Math.abs(values[0]! - gammas[0])).toBeLessThan(shift);
  expect(Math.abs(values[1]! - gammas[1])).toBeLessThan(shift);
  // The others: above by interlacing (E₁ vanishes off the features), below by the Schur complement of the 2×2 block.
  const lowest = e2 + (e1 + e2) ** 2 / (gammas[1] - shift);
  for (const value of values.slice(2)) {
    expect(value).toBeLessThan(e2 + rounding);
    expect(value).toBeGreaterThan(-lowest - rounding);
  }
}

/** Standard deviation of the noise, from the difference of the views (variance 2·noise² if it is fresh per view). */
function noiseOf(demo: BiasDemo): number {
  let sum = 0;
  for (let i = 0; i < demo.viewsA.length; i++) sum += (demo.viewsA[i]! - demo.viewsB[i]!) ** 2 / 2;
  return Math.sqrt(sum / demo.viewsA.length);
}

describe("extentBias", () => {
  it("has eigenvalues m_l = 9 and m_s = 1 by default", () => {
    const demo = extentBias({ seed: 1 });
    expect([demo.n, demo.m, demo.features.map(({ name }) => name)]).toEqual([1000, 10, ["large", "small"]]);
    checkDemo(demo, 0.01, [9, 1]);
    // Fresh noise per view: the difference of the views has variance 2·noise²; 10,000 differences, 6 standard errors.
    expect(Math.abs(noiseOf(demo) / 0.01 - 1)).toBeLessThan(6 / Math.sqrt(2 * 10_000));
  });

  it("without noise, both views are the same ±1 blocks, in all four combinations", () => {
    const demo = extentBias({ seed: 2, n: 200, largeExtent: 3, smallExtent: 2, noise: 0 });
    expect(demo.viewsA).toEqual(demo.viewsB);
    const combinations = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const [l, , , s] = demo.viewsA.subarray(i * 5, i * 5 + 5);
      expect([...demo.viewsA.subarray(i * 5, i * 5 + 5)]).toEqual([l, l, l, s, s]);
      combinations.add(`${l},${s}`);
    }
    expect([...combinations].sort()).toEqual(["-1,-1", "-1,1", "1,-1", "1,1"]);
  });

  it("orders features by eigenvalue, whatever they are called", () => {
    const demo = extentBias({ seed: 1, largeExtent: 2, smallExtent: 5 });
    expect(demo.features.map(({ name, gamma }) => [name, Math.round(gamma)])).toEqual([
      ["small", 5],
      ["large", 2],
    ]);
  });
});

describe("amplitudeBias", () => {
  it("has eigenvalues c²m/2 = 48 and 12 by default, the high frequency stronger", () => {
    const demo = amplitudeBias({ seed: 1 });
    expect([demo.n, demo.m, demo.features.map(({ name }) => name)]).toEqual([1000, 96, ["high", "low"]]);
    checkDemo(demo, 0.1, [48, 12]);
    expect(Math.abs(noiseOf(demo) / 0.1 - 1)).toBeLessThan(6 / Math.sqrt(2 * 96_000));
  });

  it("without noise, is the sum of two sines", () => {
    const demo = amplitudeBias({ seed: 3, n: 50, noise: 0 });
    for (let i = 0; i < 50; i++) {
      const matches = [1, -1].flatMap((h) =>
        [1, -1].filter((l) =>
          Array.from({ length: 96 }, (_, t) => t).every((t) => {
            const x = h * Math.sin((2 * Math.PI * 32 * t) / 96) + 0.5 * l * Math.sin((2 * Math.PI * 8 * t) / 96);
            return Math.abs(demo.viewsA[i * 96 + t]! - x) < 1e-6;
          }),
        ),
      );
      expect(matches).toHaveLength(1);
    }
    expect(demo.viewsA).toEqual(demo.viewsB);
  });

  it("can be turned round: a strong low frequency", () => {
    const demo = amplitudeBias({ seed: 1, n: 300, highAmplitude: 0.5, lowAmplitude: 1 });
    expect(demo.features[0]?.name).toBe("low");
    checkDemo(demo, 0.1, [48, 12]);
  });

  it.each([
    { highPeriods: 48 },
    { lowPeriods: 0 },
    { highPeriods: 8 },
    { lowAmplitude: 0 },
    { highAmplitude: Number.NaN },
    { m: 4 },
    { noise: -1 },
    { n: 0 },
    { seed: 2 ** 32 },
  ])("refuses %j", async (change) => {
    await expectCode("DATA-OPTION", () => amplitudeBias({ seed: 1, ...change }));
  });
});

describe("both", () => {
  it("repeat with the seed and change with it", () => {
    for (const make of [extentBias, amplitudeBias]) {
      expect(make({ seed: 5, n: 20 })).toEqual(make({ seed: 5, n: 20 }));
      expect(make({ seed: 5, n: 20 }).viewsA).not.toEqual(make({ seed: 6, n: 20 }).viewsA);
    }
  });

  it("extentBias refuses bad options too", async () => {
    for (const change of [{ largeExtent: 0 }, { smallExtent: 1.5 }, { noise: Number.NaN }, { n: -1 }]) {
      await expectCode("DATA-OPTION", () => extentBias({ seed: 1, ...change }));
    }
  });
});
