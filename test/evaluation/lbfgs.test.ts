/** L-BFGS: functions with known minima, values rounded to f32, budgets. No GPU. */
import { describe, expect, it } from "vitest";
import { type Evaluation, minimize } from "../../src/evaluation/lbfgs.ts";

const OPTIONS = { tolerance: 1e-9, maxEvaluations: 500, noise: 1e-15 };

/** ½ Σ c_i (x_i − i)², condition 10⁶. */
function quadratic(x: Float64Array): Evaluation {
  const weight = (i: number) => 10 ** ((6 * i) / (x.length - 1));
  return {
    value: x.reduce((sum, value, i) => sum + (weight(i) / 2) * (value - i) ** 2, 0),
    gradient: x.map((value, i) => weight(i) * (value - i)),
  };
}

function rosenbrock([x = 0, y = 0]: Float64Array): Evaluation {
  return {
    value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)),
  };
}

/** ln Σ e^{x_i} − x·p, minimal at x = ln p up to a constant; p on the simplex. */
const target = Float64Array.of(0.7, 0.2, 0.1);
function logSumExp(x: Float64Array): Evaluation {
  const sum = x.reduce((total, value) => total + Math.exp(value), 0);
  return {
    value: Math.log(sum) - x.reduce((total, value, i) => total + value * target[i]!, 0),
    gradient: x.map((value, i) => Math.exp(value) / sum - target[i]!),
  };
}

const inF32 =
  (f: (x: Float64Array) => Evaluation) =>
  async (x: Float64Array): Promise<Evaluation> => {
    const { value, gradient } = f(Float64Array.from(Float32Array.from(x)));
    return { value: Math.fround(value), gradient: Float64Array.from(Float32Array.from(gradient)) };
  };

describe("minimize", () => {
  it("a quadratic of condition 10⁶", async () => {
    const found = await minimize(async (x) => quadratic(x), new Float64Array(8).fill(50), OPTIONS);
    expect(found.hasConverged).toBe(true);
    found.point.forEach((value, i) => {
      expect(Math.abs(value - i)).toBeLessThan(1e-8);
    });
  });

  it("Rosenbrock's valley from (−1.2, 1)", async () => {
    const found = await minimize(async (x) => rosenbrock(x), Float64Array.of(-1.2, 1), OPTIONS);
    expect(found.hasConverged).toBe(true);
    expect(Math.hypot(found.point[0]! - 1, found.point[1]! - 1)).toBeLessThan(1e-8);
    expect(found.evaluations).toBeLessThan(100);
  });

  it("values and gradients in f32: converges to what they can tell", async () => {
    const found = await minimize(inF32(logSumExp), new Float64Array(3), { tolerance: 1e-6, maxEvaluations: 200 });
    expect(found.hasConverged).toBe(true);
    expect(found.point[0]! - found.point[1]!).toBeCloseTo(Math.log(3.5), 4);
    expect(found.point[1]! - found.point[2]!).toBeCloseTo(Math.log(2), 4);
  });

  it("stops at once where the gradient vanishes, and where the budget ends", async () => {
    const done = await minimize(
      async (x) => quadratic(x),
      Float64Array.from({ length: 5 }, (_, i) => i),
      OPTIONS,
    );
    expect([done.evaluations, done.hasConverged]).toEqual([1, true]);
    const cut = await minimize(async (x) => rosenbrock(x), Float64Array.of(-1.2, 1), { ...OPTIONS, maxEvaluations: 7 });
    expect([cut.evaluations, cut.hasConverged]).toEqual([7, false]);
    expect(cut.value).toBeLessThan(rosenbrock(Float64Array.of(-1.2, 1)).value);
  });
});
