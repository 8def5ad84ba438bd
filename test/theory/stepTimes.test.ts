import { describe, expect, test } from "vitest";
import { halfTime, measuredStepTimes, modeEigenvalue, relativeErrors } from "../../src/theory/index.ts";

describe("measuredStepTimes", () => {
  test("linear interpolation between records, after sorting", () => {
    const times = [0, 1, 3];
    const spectra = [
      [0, 0.1],
      [0.3, 0.7],
      [0.8, 0.6],
    ];
    // Largest: 0.1 → 0.7 over [0, 1], crosses at 0.4/0.6. Second: 0.3 → 0.6 over [1, 3], crosses at 1 + 2·0.2/0.3.
    const [first, second] = measuredStepTimes(times, spectra, 2);
    expect(first).toBeCloseTo(2 / 3, 15);
    expect(second).toBeCloseTo(7 / 3, 14);
  });

  test("first upward crossing only; null when it never happens; first record counts", () => {
    const spectra = [
      [0.6, 0.1],
      [0.4, 0.2],
      [0.9, 0.3],
      [0.1, 0.1],
    ];
    expect(measuredStepTimes([2, 3, 4, 5], spectra, 2)).toEqual([2, null]);
    expect(measuredStepTimes([1, 2, 3], [[0], [1], [0]], 1)).toEqual([1.5]);
    expect(measuredStepTimes([1, 2, 3, 4], [[0], [1], [0], [1]], 1)).toEqual([1.5]);
    expect(measuredStepTimes([], [], 2)).toEqual([null, null]);
  });

  test("another level, exactly met at a record", () => {
    expect(measuredStepTimes([0, 1, 2], [[0], [0.25], [1]], 1, 0.25)).toEqual([1]);
  });

  test("NaN records never count as a crossing", () => {
    expect(measuredStepTimes([0, 1], [[0], [Number.NaN]], 1)).toEqual([null]);
  });

  test("sampled logistic: within the documented 0.0482 (r Delta)^2 / r", () => {
    const r = 8;
    const delta = 0.04;
    const times = Array.from({ length: 100 }, (_, k) => k * delta);
    const spectra = times.map((t) => [modeEigenvalue(1, 1e-3, t), modeEigenvalue(1, 3e-3, t)]);
    const measured = measuredStepTimes(times, spectra, 2);
    const exact = [halfTime(1, 3e-3), halfTime(1, 1e-3)];
    exact.forEach((t, j) => {
      expect(Math.abs(measured[j]! - t)).toBeLessThan((0.0482 * (r * delta) ** 2) / r / (1 - r * delta));
    });
  });

  test("refuses mismatched, short and unordered input", () => {
    const shape = expect.objectContaining({ code: "THEORY-SHAPE" });
    expect(() => measuredStepTimes([0, 1], [[1]], 1)).toThrowError(shape);
    expect(() => measuredStepTimes([0], [[1]], 2)).toThrowError(shape);
    expect(() => measuredStepTimes([1, 1], [[1], [1]], 1)).toThrowError(shape);
    expect(() => measuredStepTimes([Number.NaN], [[1]], 1)).toThrowError(shape);
  });
});

test("relativeErrors: signed, null where either side is missing", () => {
  expect(relativeErrors([1.1, null, 2, 3, 4], [1, 2, null, Number.POSITIVE_INFINITY, -1])).toEqual([
    (1.1 - 1) / 1,
    null,
    null,
    null,
    null,
  ]);
  expect(() => relativeErrors([1], [1, 2])).toThrowError(expect.objectContaining({ code: "THEORY-SHAPE" }));
});
