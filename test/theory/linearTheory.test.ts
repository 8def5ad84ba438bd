import { describe, expect, test } from "vitest";
import { gapAdmits, linearTheory, stepTime } from "../../src/theory/index.ts";
import { flowStepTimes, gradientDescent, normals, orthogonal, referenceEigenvalues } from "./support.ts";

/**
 * Views with a chosen Γ: sample i is √(n |g_i|) v_i in both views, negated in the second where g_i < 0. Then Γ = Σ g_i v_i v_iᵀ with n = m.
 */
function designedViews(g: number[], seed: number) {
  const m = g.length;
  const v = orthogonal(m, seed);
  const viewsA = v.map((x, i) => x * Math.sqrt(m * Math.abs(g[Math.floor(i / m)]!)));
  const viewsB = viewsA.map((x, i) => x * Math.sign(g[Math.floor(i / m)]!));
  return { viewsA, viewsB, n: m, m };
}

const SPECTRUM = [2, 1.2, 0.6, 0.2, 0.1, 0.05, -0.3, -0.7];

describe("linearTheory", () => {
  const views = designedViews(SPECTRUM, 3);
  const weights0 = normals(3 * 8, 12, 1e-4);
  const theory = linearTheory({ ...views, d: 3, weights0, learningRate: 0.005 });

  test("reads the designed spectrum back", () => {
    [2, 1.2, 0.6, 0.2].forEach((g, j) => {
      expect(theory.gamma[j]).toBeCloseTo(g, 13);
    });
    expect(theory.gamma.length).toBe(4);
    expect(theory.gamma1).toBe(theory.gamma[0]);
    expect(theory.positiveModes).toBe(3);
    expect(theory.learningRateBound).toBeCloseTo(1 / 8, 14);
    expect(theory.errorExponent).toBeCloseTo(1 - 0.6, 12);
  });

  test("is plain JSON", () => {
    expect(JSON.parse(JSON.stringify(theory))).toEqual(theory);
  });

  test("step times agree with the paper's formula, and measured ones with the admitted predictions", () => {
    theory.stepTimes.forEach((tau, j) => {
      expect(tau).toBe(stepTime(theory.gamma[j]!, theory.amplitudes[j]!));
      // Half-time: earlier by −ln(1 − λ₀)/(8γ), invisible at λ₀ ~ 1e-8.
      expect(Math.abs(theory.halfTimes[j]! - tau!)).toBeLessThan(1e-7);
    });
    const gamma = new Float64Array(64);
    for (let i = 0; i < 8; i++) {
      for (let a = 0; a < 8; a++) {
        for (let b = 0; b < 8; b++) gamma[a * 8 + b]! += (views.viewsA[i * 8 + a]! * views.viewsB[i * 8 + b]!) / 8;
      }
    }
    expect(referenceEigenvalues(gamma, 8)[0]).toBeCloseTo(2, 13);
    const measured = flowStepTimes(weights0, { d: 3, m: 8, gamma }, 30, 0.02);
    expect(theory.gapAdmits.filter(Boolean).length).toBeGreaterThanOrEqual(2);
    theory.gapAdmits.forEach((isAdmitted, j) => {
      const error = Math.abs(measured[j]! / theory.stepTimes[j]! - 1);
      if (isAdmitted) expect(error).toBeLessThan(theory.tolerance);
      if (theory.estimatedRelativeError[j] !== null) {
        expect(error).toBeLessThan(theory.estimatedRelativeError[j]! + 1e-5);
      }
    });
  });

  test("discrete step times bracket an actual gradient-descent run of the first mode", () => {
    const problem = { d: 3, m: 8, gamma: Float64Array.from(SPECTRUM) };
    // In the eigenbasis with R itself as the weight: the same run up to rotations. One step before: below 1/2; one after: above.
    const step = Math.floor(theory.discreteStepTimes[0]! / 0.005);
    const start = new Float64Array(24);
    for (let j = 0; j < 3; j++) start[j * 8 + j] = theory.amplitudes[j]!;
    const lambda = (w: Float64Array) => SPECTRUM[0]! * w[0]! ** 2;
    expect(lambda(gradientDescent(start, problem, { lr: 0.005, steps: step }))).toBeLessThan(0.5);
    expect(lambda(gradientDescent(start, problem, { lr: 0.005, steps: step + 1 }))).toBeGreaterThanOrEqual(0.5);
  });

  test("momentum changes the discrete times only", () => {
    const heavy = linearTheory({ ...views, d: 3, weights0, learningRate: 0.005, momentum: 0.9 });
    expect({ ...heavy, discreteStepTimes: null }).toEqual({ ...theory, discreteStepTimes: null });
    expect(heavy.discreteStepTimes).not.toEqual(theory.discreteStepTimes);
  });
});

test("modes that never learn are null; d = m has no mode beyond", () => {
  const views = designedViews([1, 0.1, -0.5], 5);
  const theory = linearTheory({ ...views, d: 3, weights0: normals(9, 1, 1e-3), learningRate: 0.01 });
  expect(theory.gamma.length).toBe(3);
  expect(theory.positiveModes).toBe(2);
  expect(theory.stepTimes[2]).toBeNull();
  expect(theory.halfTimes[2]).toBeNull();
  expect(theory.discreteStepTimes[2]).toBeNull();
  expect(theory.estimatedRelativeError[2]).toBeNull();
  expect(theory.gapAdmits[2]).toBe(false);
  const dead = linearTheory({ ...designedViews([-1, -2], 5), d: 1, weights0: normals(2, 1), learningRate: 0.01 });
  expect(dead.learningRateBound).toBeNull();
  expect(dead.positiveModes).toBe(0);
});

test("modes beyond the computed eigenvectors still count, through the rest of the norm of W0", () => {
  // d = 1 takes nine eigenvectors of fourteen; the five others carry equal entries, so that their mean square is each one's square.
  const gammas = Array.from({ length: 14 }, (_, j) => 1 - 0.04 * j);
  const views = designedViews(gammas, 8);
  const basis = orthogonal(14, 8);
  const entry = (j: number) => (j === 0 ? 1e-3 : j < 9 ? 1e-7 : 1e-2);
  const weights0 = new Float64Array(14);
  for (let j = 0; j < 14; j++) {
    for (let f = 0; f < 14; f++) weights0[f]! += entry(j) * basis[j * 14 + f]!;
  }
  const theory = linearTheory({ ...views, d: 1, weights0, learningRate: 0.01 });
  const known = gapAdmits({
    gammas,
    amplitudes: [1e-3],
    d: 1,
    tolerance: 0.02,
    misalignment: { r: gammas.map((_, j) => entry(j)), columns: 14 },
  }).estimatedRelativeError[0]!;
  // W₀V is right to 14·u·1e-2 = 2e-17, against the amplitude 1e-3 squared: 4e-14; the exponent 8γτ ≈ 14 adds as much.
  expect(known).toBeGreaterThan(0.01);
  expect(Math.abs(theory.estimatedRelativeError[0]! / known - 1)).toBeLessThan(1e-11);
});

test("refuses d > m", () => {
  const views = designedViews([1, 0.5], 1);
  expect(() => linearTheory({ ...views, d: 3, weights0: new Float64Array(6), learningRate: 0.1 })).toThrowError(
    expect.objectContaining({ code: "THEORY-SHAPE", where: "d" }),
  );
});
