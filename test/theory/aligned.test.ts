import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEngineError } from "../../src/errors.ts";
import {
  halfTime,
  modeEigenvalue,
  modeSingularValue,
  staircaseLoss,
  stepTime,
  stepWidth,
} from "../../src/theory/index.ts";
import { flow, fromSpectrum, loss, multiply, orthogonal } from "./support.ts";

/**
 * Golden case: γ = 1, 1/2, 1/4 and a dead mode −0.3, all from s(0) = 1e-3.
 * τ_j = −ln(1e-6 γ_j)/(8 γ_j): ln(1e6)/8, (ln(1e6) + ln 2)/4, (ln(1e6) + ln 4)/2. Numbers to 8 decimals, so the tolerance is 5.1e-9.
 */
const GAMMAS = [1, 0.5, 0.25, -0.3];
const S0 = [1e-3, 1e-3, 1e-3, 1e-3];
const EIGHT_DECIMALS = 5.1e-9;

describe("golden numbers", () => {
  test.each([
    [1, 1.72693882],
    [0.5, 3.62716443],
    [0.25, 7.60090246],
  ])("step time of gamma %f is %f", (gamma, expected) => {
    expect(Math.abs(stepTime(gamma, 1e-3) - expected)).toBeLessThan(EIGHT_DECIMALS);
  });

  test.each([
    [1, 0.99998112],
    [0.5, 0.38795232],
    [0.25, 0.02008453],
  ])("singular value of gamma %f at t = 3 is %f", (gamma, expected) => {
    expect(Math.abs(modeSingularValue(gamma, 1e-3, 3) - expected)).toBeLessThan(EIGHT_DECIMALS);
  });

  test.each([
    [0.5, 3.99988225],
    [1.5, 3.73923214],
    [2, 3.00723011],
    [3, 2.85495441],
    [4, 2.03226432],
    [8, 1.09635542],
  ])("loss with the dead mode at t = %f is %f", (t, expected) => {
    expect(Math.abs(staircaseLoss(GAMMAS, S0, 4, t) - expected)).toBeLessThan(EIGHT_DECIMALS);
  });
});

test("agrees with RK4 of the full matrix equation, negative mode included", () => {
  // Γ in a random basis, W(0) = U S Vᵀ. RK4 with 4γ₁h = 0.01: global error about 3·4·h⁴·4⁴/120 < 1e-9 relative.
  const v = orthogonal(4, 11);
  const u = orthogonal(4, 12);
  const gamma = fromSpectrum(GAMMAS, v);
  const s0 = [0.3, 0.2, 0.1, 0.4];
  const scaled = v.map((x, i) => x * s0[Math.floor(i / 4)]!);
  const problem = { d: 4, m: 4, gamma };
  const w = flow(multiply(u, scaled, 4, 4, 4), problem, 2, 800);
  const aligned = v.map((x, i) => x * modeSingularValue(GAMMAS[Math.floor(i / 4)]!, s0[Math.floor(i / 4)]!, 2));
  const expected = multiply(u, aligned, 4, 4, 4);
  const worst = Math.max(...w.map((x, i) => Math.abs(x - expected[i]!)));
  expect(worst).toBeLessThan(1e-9);
  expect(Math.abs(loss(w, problem) - staircaseLoss(GAMMAS, s0, 4, 2))).toBeLessThan(1e-8);
});

describe("overflow and underflow", () => {
  test("huge t: positive modes end at gamma^-1/2, zero stays, negative dies", () => {
    expect(modeSingularValue(4, 1e-3, 1e300)).toBe(0.5);
    expect(modeSingularValue(4, 10, 1e300)).toBe(0.5);
    expect(modeSingularValue(0, 1e-3, 1e300)).toBe(1e-3);
    expect(modeSingularValue(-4, 1e-3, 1e300)).toBe(0);
    expect(modeEigenvalue(1e-12, 1e-3, 1e300)).toBeCloseTo(1, 14);
  });

  test("tiny s0: the step still happens at its time", () => {
    // s₀ = 1e-200: λ₀ = 1e-400 does not exist in float64, τ = 400 ln(10)/8.
    const tau = (400 * Math.LN10) / 8;
    expect(stepTime(1, 1e-200)).toBeCloseTo(tau, 10);
    expect(halfTime(1, 1e-200)).toBeCloseTo(tau, 10);
    // The exponent 8γt ≈ 921 carries an absolute rounding error of about 921·2u = 2e-13, which λ' = 1/4 per unit exponent shows.
    expect(Math.abs(modeEigenvalue(1, 1e-200, tau) - 0.5)).toBeLessThan(2e-13);
    expect(modeSingularValue(1, 1e-200, 0)).toBe(1e-200);
    expect(modeEigenvalue(1, 1e-200, 2 * tau)).toBe(1);
  });

  test("a mode that never learns", () => {
    expect(stepTime(0, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(stepTime(-1, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(halfTime(-1, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(stepTime(1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(stepWidth(-1)).toBe(Number.POSITIVE_INFINITY);
    expect(modeSingularValue(1, 0, 5)).toBe(0);
  });

  test("a mode that starts learned", () => {
    expect(halfTime(1, Math.SQRT1_2 * 1.0001)).toBe(0);
    expect(halfTime(1, Math.SQRT1_2 * 0.9999)).toBeGreaterThan(0);
    expect(stepTime(1, 2)).toBeLessThan(0);
  });

  test.each([
    [Number.NaN, 1, 1],
    [1, -1, 1],
    [1, Number.POSITIVE_INFINITY, 1],
    [1, 1, -1],
  ])("refuses gamma %f, s0 %f, t %f", (gamma, s0, t) => {
    expect(() => modeSingularValue(gamma, s0, t)).toThrowError(expect.objectContaining({ code: "THEORY-RANGE" }));
  });

  test("refuses short arrays with the name of the array", () => {
    try {
      staircaseLoss([1], [1, 1], 2, 0);
      expect.unreachable();
    } catch (error) {
      expect(isEngineError(error) && error.where).toBe("gammas");
    }
  });
});

describe("properties", () => {
  const gamma = fc.double({ min: -5, max: 5, noNaN: true });
  const s0 = fc.double({ min: 1e-6, max: 3, noNaN: true });
  const time = fc.double({ min: 0, max: 3, noNaN: true });

  test("flow property: s(t1 + t2) from s0 equals s(t2) from s(t1)", () => {
    fc.assert(
      fc.property(gamma, s0, time, time, (g, s, t1, t2) => {
        const whole = modeSingularValue(g, s, t1 + t2);
        const parts = modeSingularValue(g, modeSingularValue(g, s, t1), t2);
        // Exponents up to 240 are rounded at u each: relative error about 240·4u = 1e-13.
        expect(Math.abs(whole - parts)).toBeLessThanOrEqual(2e-13 * whole);
      }),
    );
  });

  test("s(0) = s0 exactly and ds/dt = 4 gamma s (1 - gamma s^2)", () => {
    fc.assert(
      fc.property(gamma, s0, (g, s) => {
        expect(modeSingularValue(g, s, 0)).toBe(s);
        const h = 1e-5;
        const slope = (modeSingularValue(g, s, 2 * h) - modeSingularValue(g, s, 0)) / (2 * h);
        const mid = modeSingularValue(g, s, h);
        const expected = 4 * g * mid * (1 - g * mid * mid);
        // Central difference: h²/6 |s'''|, with |s'''| ≤ (4|γ|)³ s (1 + |γ|s²)³·15; rounding u s/h.
        const third = (4 * Math.abs(g)) ** 3 * s * (1 + Math.abs(g) * s * s) ** 3 * 15;
        expect(Math.abs(slope - expected)).toBeLessThanOrEqual((h * h * third) / 6 + (4e-16 * s) / h);
      }),
    );
  });

  test("lambda at the half-time is 1/2, and the step is ln(81)/(8 gamma) wide", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 5, noNaN: true }),
        fc.double({ min: 1e-9, max: 1e-3, noNaN: true }),
        (g, s) => {
          const t = halfTime(g, s);
          // 8γt ≤ 50, rounded: error of λ at most 50·4u/4.
          expect(Math.abs(modeEigenvalue(g, s, t) - 0.5)).toBeLessThan(2e-14);
          expect(Math.abs(modeEigenvalue(g, s, t + stepWidth(g) / 2) - 0.9)).toBeLessThan(2e-14);
          expect(Math.abs(modeEigenvalue(g, s, t - stepWidth(g) / 2) - 0.1)).toBeLessThan(2e-14);
        },
      ),
    );
  });
});
