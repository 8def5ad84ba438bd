import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { discreteStepTime, discreteTrajectory, halfTime } from "../../src/theory/index.ts";
import { descent, fromSpectrum, gradientDescent, loss, multiply, orthogonal, transpose } from "./support.ts";

const GAMMAS = [1, 0.6, 0.3, 0.1, -0.2];
const S0 = [0.1, 0.2, 0.3];
const V = orthogonal(5, 21);
const U3 = orthogonal(3, 22);
const PROBLEM = { d: 3, m: 5, gamma: fromSpectrum(GAMMAS, V) };
const ALIGNED = multiply(
  U3,
  V.slice(0, 15).map((x, i) => x * S0[Math.floor(i / 5)]!),
  3,
  3,
  5,
);

/** Uᵀ W Vᵀ: diagonal for an aligned weight. */
function inModes(w: Float64Array): Float64Array {
  return multiply(transpose(U3, 3, 3), multiply(w, transpose(V, 5, 5), 3, 5, 5), 3, 3, 5);
}

describe("recurrence against gradient descent on the whole matrix", () => {
  test.each([0, 0.5, 0.9])("momentum %f: singular values to 1e-10 and no leakage", (momentum) => {
    const lr = 0.02 * (1 - momentum);
    const steps = 250;
    const modes = inModes(gradientDescent(ALIGNED, PROBLEM, { lr, steps, momentum }));
    for (let i = 0; i < 3; i++) {
      const expected = discreteTrajectory(GAMMAS[i]!, S0[i]!, lr, steps, { momentum })[steps]!;
      for (let k = 0; k < 5; k++) {
        // Rounding u = 1e-16 in the unlearned mode γ = 0.1 grows by e^{4·0.1·5} = 7, in mode 3 by e⁶ before it saturates: ≪ 1e-10.
        expect(Math.abs(modes[i * 5 + k]! - (i === k ? expected : 0))).toBeLessThan(1e-10);
      }
    }
  });

  test("negative mode decays, zero mode stays", () => {
    const path = discreteTrajectory(-0.5, 1, 0.01, 3);
    // s (1 + a (1 − γ s²)), a = −0.02: 1·(1 − 0.02·1.5) = 0.97.
    expect(path[1]).toBeCloseTo(0.97, 15);
    expect(path[3]!).toBeLessThan(path[2]!);
    expect(discreteTrajectory(0, 0.3, 0.1, 4)[4]).toBe(0.3);
  });
});

/** First crossing of 1/2 by plain iteration of λ ← λ (1 + a (1 − λ))², from the docstring's formula. */
function iterated(gamma: number, s0: number, lr: number): number {
  const a = 4 * lr * gamma;
  let before = gamma * s0 * s0;
  for (let k = 1; ; k++) {
    const after = before * (1 + a * (1 - before)) ** 2;
    if (after >= 0.5) return lr * (k - 1 + (0.5 - before) / (after - before));
    before = after;
  }
}

/** Likewise with heavy-ball momentum. */
function iteratedMomentum(gamma: number, s0: number, lr: number, momentum: number): number {
  let s = s0;
  let v = 0;
  let before = gamma * s * s;
  for (let k = 1; ; k++) {
    v = momentum * v - 4 * gamma * (1 - gamma * s * s) * s;
    s -= lr * v;
    const after = gamma * s * s;
    if (after >= 0.5) return (lr / (1 - momentum)) * (k - 1 + (0.5 - before) / (after - before));
    before = after;
  }
}

describe("discreteStepTime", () => {
  test.each([
    [1, 1e-3, 0.02],
    [1, 1e-15, 0.02],
    [0.25, 1e-15, 0.02],
    [0.05, 1e-2, 0.02],
    [1, 0.3, 0.02],
    [1, 1e-5, 0.24],
    [1, 1e-6, 1e-4],
  ])("equals plain iteration: gamma %f, s0 %f, lr %f", (gamma, s0, lr) => {
    const expected = iterated(gamma, s0, lr);
    // Claimed 1e-10; the plain iteration itself collects k·u over at most 2e5 steps, 2e-11.
    expect(Math.abs(discreteStepTime(gamma, s0, lr) / expected - 1)).toBeLessThan(1e-10);
  });

  test.each([
    [1, 1e-15, 0.01, 0.5],
    [0.3, 1e-8, 0.002, 0.9],
    [1, 0.01, 0.02, 0.9],
    [1, 1e-12, 0.2, 0.9],
  ])("equals plain iteration with momentum: gamma %f, s0 %f, lr %f, mu %f", (gamma, s0, lr, momentum) => {
    const expected = iteratedMomentum(gamma, s0, lr, momentum);
    expect(Math.abs(discreteStepTime(gamma, s0, lr, { momentum }) / expected - 1)).toBeLessThan(1e-10);
  });

  test("modified flow and iteration agree where one hands over to the other", () => {
    // a = 4 lr γ = 0.99e-5 takes the flow; plain iteration of the same takes 3.5e6 steps (rounding 3.5e6·u = 4e-10 at worst).
    const lr = 0.99e-5 / 4;
    expect(Math.abs(discreteStepTime(1, 1e-15, lr) / iterated(1, 1e-15, lr) - 1)).toBeLessThan(1e-9);
    const slow = (0.99e-6 * 0.5) / 4;
    const momentum = 0.5;
    const below = discreteStepTime(1, 1e-3, slow, { momentum });
    const above = discreteStepTime(1, 1e-3, slow * 1.02, { momentum });
    expect(Math.abs(below / above - 1)).toBeLessThan(2e-6);
  });

  test("first-order effect of the learning rate: slower than the flow by 2 lr gamma in the exponential phase", () => {
    // ln(1 + a)/a = 1 − a/2 + a²/3: at λ₀ = 1e-60 the exponential phase is nearly all, the rest contributes ≤ a·ln 2/ln(1e60).
    const lr = 0.005;
    const ratio = discreteStepTime(1, 1e-30, lr) / halfTime(1, 1e-30);
    expect(Math.abs(ratio - 1 - 2 * lr)).toBeLessThan((4 * lr) ** 2 / 3 + (1.5 * 4 * lr * Math.LN2) / 138);
  });

  test("underflowing lambda0, learned and dead modes", () => {
    const t = discreteStepTime(1, 1e-200, 0.02);
    expect(t).toBeGreaterThan(halfTime(1, 1e-200));
    expect(t).toBeLessThan(1.05 * halfTime(1, 1e-200));
    expect(discreteStepTime(1, 0.8, 0.02)).toBe(0);
    expect(discreteStepTime(-1, 0.1, 0.02)).toBe(Number.POSITIVE_INFINITY);
    expect(discreteStepTime(1, 0, 0.02)).toBe(Number.POSITIVE_INFINITY);
  });

  test("tends to the flow as lr tends to 0, monotonically in lr", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 3, noNaN: true }),
        fc.double({ min: 1e-9, max: 1e-3, noNaN: true }),
        (gamma, s0) => {
          const flow = halfTime(gamma, s0);
          // The jump to the next record cannot beat the flow; relative excess ≤ 2 lr γ (1 + 1.5 ln 2/ln(1/λ₀)) < 2.5 lr γ.
          for (const a of [1e-9, 1e-6, 1e-4, 1e-2]) {
            const excess = discreteStepTime(gamma, s0, a / 4 / gamma) / flow - 1;
            expect(excess).toBeGreaterThan(-1e-12);
            expect(excess).toBeLessThan(0.625 * a + 1e-12);
          }
        },
      ),
      { numRuns: 40, seed: 4 },
    );
  });

  test.each([
    [Number.NaN, 1, 1, 0],
    [1, -1, 1, 0],
    [1, 1, 0, 0],
    [1, 1, 1, 1],
    [1, 1, 1, -0.1],
  ])("refuses gamma %f, s0 %f, lr %f, momentum %f", (gamma, s0, lr, momentum) => {
    expect(() => discreteStepTime(gamma, s0, lr, { momentum })).toThrowError(
      expect.objectContaining({ code: "THEORY-RANGE" }),
    );
  });
});

test("the reference gradient is the derivative of the loss (central difference)", () => {
  const w = ALIGNED.map((x, i) => x + 0.1 * Math.sin(i));
  const h = 1e-6;
  const direction = w.map((_, i) => Math.cos(3 * i));
  const along = (by: number) =>
    loss(
      w.map((x, i) => x + by * direction[i]!),
      PROBLEM,
    );
  const expected = -descent(w, PROBLEM).reduce((sum, g, i) => sum + g * direction[i]!, 0);
  // h²·L''' ~ 1e-11, rounding u·L/h ~ 1e-9.
  expect(Math.abs((along(h) - along(-h)) / (2 * h) - expected)).toBeLessThan(1e-8);
});
