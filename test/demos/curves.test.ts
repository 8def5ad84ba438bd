/** What the staircase page draws: records by step, crossings, the grid, theory on it. */
import { describe, expect, it } from "vitest";
import { MeasuredCurves, stepGrid, theoryCurves } from "../../demos/staircase/curves.ts";
import { History } from "../../demos/staircase/history.ts";
import { axisText, logTicks, percent, shortNumber } from "../../demos/staircase/numbers.ts";
import { discreteTrajectory, type LinearTheory, measuredStepTimes } from "../../src/theory/index.ts";
import { TestRandom } from "../support/random.ts";

const D = 3;
const LR = 0.05;

/** Logistic curves that cross 1/2, sampled at every step. */
function spectra(steps: number): Float32Array[] {
  return Array.from({ length: steps }, (_, step) =>
    Float32Array.from({ length: D }, (_, j) => 1 / (1 + Math.exp(8 - (0.9 - 0.2 * j) * LR * step * 8))),
  );
}

function filled(steps: number, sizes: () => number): History {
  const history = new History(D, LR);
  const all = spectra(steps);
  for (let first = 0; first < steps; ) {
    const part = all.slice(first, first + sizes());
    history.append({
      firstStep: first,
      losses: Float32Array.from(part, (_, i) => first + i),
      spectra: Float32Array.from(part.flatMap((spectrum) => [...spectrum])),
    });
    first += part.length;
  }
  return history;
}

describe("History", () => {
  it("finds the step times that the library finds, however the records arrive, and grows", () => {
    const steps = 3000;
    const random = new TestRandom(5);
    const history = filled(steps, () => 1 + random.integer(40));
    const times = Array.from({ length: steps }, (_, step) => step * LR);
    expect(history.stepTimes).toEqual(measuredStepTimes(times, spectra(steps), D));
    expect(history.stepTimes).not.toContain(null);
    expect([history.count, history.loss(2999), history.learned]).toEqual([3000, 2999, 3]);
    expect(history.eigenvalue(100, 2)).toBe(spectra(101)[100]?.[2]);
  });

  it("refuses a gap", () => {
    const batch = { firstStep: 5, losses: new Float32Array(1), spectra: new Float32Array(D) };
    expect(() => new History(D, LR).append(batch)).toThrow("record 5 came after 0 records");
  });
});

describe("curves", () => {
  it("a grid is whole steps, rising, from 0 or from shortly before the first step to the horizon", () => {
    const linear = stepGrid(2675, false, 195);
    const log = stepGrid(2675, true, 195);
    expect([linear[0], linear.at(-1), log[0], log.at(-1)]).toEqual([0, 2675, 19, 2675]);
    for (const grid of [linear, log, stepGrid(20, true, 0), stepGrid(20, false, 500)]) {
      expect([...grid]).toEqual([...new Set(grid)].sort((a, b) => a - b));
    }
    expect([...stepGrid(20, false, 1)]).toEqual(Array.from({ length: 21 }, (_, i) => i));
  });

  it("theory on a grid is gradient descent of each mode, and its loss the sum of squares", () => {
    const theory = { gamma: [1, 0.5, -0.2, 0.1], amplitudes: [0.1, -0.2, 0.3] } as unknown as LinearTheory;
    const grid = stepGrid(400, true, 100);
    const { eigenvalues, loss } = theoryCurves(theory, D, LR, grid);
    const exact = discreteTrajectory(0.5, 0.2, LR, 400);
    expect([...eigenvalues[1]!]).toEqual(Array.from(grid, (step) => 0.5 * exact[step]! ** 2));
    expect(eigenvalues[2]![0]).toBeLessThan(0);
    const i = 37;
    expect(loss[i]).toBeCloseTo(
      eigenvalues.reduce((sum, curve) => sum + (1 - curve[i]!) ** 2, 0),
      12,
    );
  });

  it("measurements fill the grid as far as there are records, each exactly at its step", () => {
    const grid = stepGrid(100, false, 1);
    const curves = new MeasuredCurves(grid, D);
    expect(curves.fill(new History(D, LR))).toBe(false);
    const history = filled(41, () => 41);
    expect([curves.fill(history), curves.fill(history)]).toEqual([true, false]);
    expect(curves.loss.slice(39, 43)).toEqual([39, 40, null, null]);
    expect(curves.eigenvalues[0]![40]).toBe(history.eigenvalue(40, 0));
  });
});

describe("numbers", () => {
  it("are short", () => {
    expect([0, 1.95523, 1.005e-6, 12345.6, -0.5, Number.NaN, null].map((value) => shortNumber(value))).toEqual([
      "0",
      "1.955",
      "1.00e-6",
      "12350",
      "-0.5",
      "–",
      "–",
    ]);
    expect([0.00001, -0.0002, 0.151, null].map(percent)).toEqual(["0.00", "−0.02", "+15.1", ""]);
    expect([0, 0.01, 1, 250, 1e-8, 1e5, 3e-4].map(axisText)).toEqual(["0", "0.01", "1", "250", "10⁻⁸", "10⁵", ""]);
  });

  it("ticks of a logarithmic axis are round and few", () => {
    expect(logTicks(0.2, 11)).toEqual([0.2, 0.5, 1, 2, 5, 10]);
    expect(logTicks(1e-10, 3)).toEqual([1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1]);
    expect(logTicks(1e-14, 3).length).toBeLessThan(10);
  });
});
