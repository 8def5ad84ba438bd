import { describe, expect, test } from "vitest";
import { isEngineError } from "../../src/errors.ts";
import { assertStableLearningRate, learningRateBound } from "../../src/theory/index.ts";
import { gradientDescent, loss, normals } from "./support.ts";

// γ = 1, 0.5 in its eigenbasis, two outputs: every zero-loss weight uses both modes.
const PROBLEM = { d: 2, m: 2, gamma: Float64Array.of(1, 0.5) };

describe("the bound is where gradient descent stops converging", () => {
  const w0 = normals(4, 9, 0.1);

  test.each([
    [0.249, 0],
    [0.37, 0.5],
  ])("lr %f with momentum %f converges", (lr, momentum) => {
    // Plain: the slowest factor is |1 − 8·0.249| = 0.992 per step, 0.992^6000 = 1e-21 in C − I.
    expect(loss(gradientDescent(w0, PROBLEM, { lr, momentum, steps: 6000 }), PROBLEM)).toBeLessThan(1e-20);
  });

  test.each([
    [0.26, 0],
    [0.39, 0.5],
  ])("lr %f with momentum %f does not", (lr, momentum) => {
    // The fixed point repels, so a cycle or a divergence remains; for 0.26 the 2-cycle of λ ← λ(1 + a(1 − λ))² is of size √0.08.
    const left = loss(gradientDescent(w0, PROBLEM, { lr, momentum, steps: 6000 }), PROBLEM);
    expect(left > 1e-3 || Number.isNaN(left)).toBe(true);
  });

  test("with a spare slow mode, lr 0.26 escapes to a flatter zero-loss weight that the theory does not describe", () => {
    const spare = { d: 2, m: 3, gamma: Float64Array.of(1, 0.5, 0.25) };
    const squaredNorm = (lr: number) => {
      const w = gradientDescent(normals(6, 9, 1e-3), spare, { lr, steps: 12000 });
      expect(loss(w, spare)).toBeLessThan(1e-18);
      return w.reduce((sum, x) => sum + x * x, 0);
    };
    // The top-spectral weight has the least norm of all zero-loss weights, 1/γ₁ + 1/γ₂ = 3. A stable rate comes near it from a
    // small start: the tilt θ² ~ α^{2(1 − γ₃/γ₂)} = 1e-3 costs θ² (R₂₃/R₂₂)²/γ₃ ~ 0.004; the unstable rate moves away from it.
    const stable = squaredNorm(0.05);
    expect(stable).toBeLessThan(3.02);
    expect(squaredNorm(0.26)).toBeGreaterThan(stable + 0.05);
  });
});

test("value of the bound", () => {
  expect(learningRateBound(1)).toBe(0.25);
  expect(learningRateBound(50)).toBe(0.005);
  expect(learningRateBound(0)).toBe(Number.POSITIVE_INFINITY);
  expect(learningRateBound(-1)).toBe(Number.POSITIVE_INFINITY);
  expect(() => learningRateBound(Number.NaN)).toThrowError(expect.objectContaining({ code: "THEORY-RANGE" }));
});

describe("assertStableLearningRate", () => {
  test("both sides of the boundary", () => {
    expect(() => assertStableLearningRate(0.2499999, 1)).not.toThrow();
    expect(() => assertStableLearningRate(0.25, 1)).toThrow();
    expect(() => assertStableLearningRate(0.25, 1, { force: false })).toThrow();
    expect(() => assertStableLearningRate(0.25, 1, { force: true })).not.toThrow();
    expect(() => assertStableLearningRate(1e9, -1)).not.toThrow();
  });

  test("the error names the numbers, and its fix is a learning rate that passes", () => {
    try {
      assertStableLearningRate(0.5, 3.7);
      expect.unreachable();
    } catch (error) {
      if (!isEngineError(error)) throw error;
      expect(error.code).toBe("THEORY-LR-BOUND");
      expect(error.message).toContain("0.5");
      expect(error.message).toContain("0.0675676");
      expect(error.message).toContain("3.7");
      expect(error.fix).toContain("--set force=true");
      const suggested = Number(/--set optimizer\.learningRate=([\d.e-]*\d)/.exec(error.fix)?.[1]);
      expect(() => assertStableLearningRate(suggested, 3.7)).not.toThrow();
    }
  });

  test("a learning rate that is no learning rate is refused even when forced", () => {
    for (const lr of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => assertStableLearningRate(lr, 1, { force: true })).toThrowError(
        expect.objectContaining({ code: "THEORY-RANGE" }),
      );
    }
  });
});
