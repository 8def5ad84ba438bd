/** Standardisation, accuracy, what is refused. No GPU. */
import { describe, expect, it } from "vitest";
import {
  accuracyOf,
  checkSplits,
  type FeatureSplits,
  largestScores,
  standardized,
} from "../../src/evaluation/features.ts";
import { mostSimilar } from "../../src/evaluation/nearestNeighbors.ts";
import { TestRandom } from "../support/random.ts";

function splits(): FeatureSplits {
  const random = new TestRandom(1);
  const part = (rows: number) => {
    const values = random.normals(rows * 3);
    // Far from 0; constant; wide.
    for (let row = 0; row < rows; row++) {
      values[3 * row] = 1000 + values[3 * row]!;
      values[3 * row + 1] = 0.1;
      values[3 * row + 2] = 50 * values[3 * row + 2]!;
    }
    return { values, columns: 3, labels: Array.from({ length: rows }, (_, row) => row % 2) };
  };
  return { train: part(40), test: part(10), classes: 2 };
}

describe("standardized", () => {
  it("gives training features mean 0 and variance 1, constant ones 0, and test features the same map", () => {
    const given = splits();
    const { train, test } = standardized(given);
    for (const c of [0, 2]) {
      const column = Array.from({ length: 40 }, (_, row) => train.values[3 * row + c]!);
      const mean = column.reduce((sum, value) => sum + value / 40, 0);
      // Rounding of 1000 in f32 is in the data already; the results' own rounding is u.
      expect(Math.abs(mean)).toBeLessThan(1e-6);
      expect(column.reduce((sum, value) => sum + (value - mean) ** 2 / 40, 0)).toBeCloseTo(1, 5);
      const [a, b] = [given.train.values[c]!, given.train.values[3 + c]!];
      const slope = (train.values[3 + c]! - train.values[c]!) / (b - a);
      expect((test.values[c]! - train.values[c]!) / (given.test.values[c]! - a)).toBeCloseTo(slope, 3);
    }
    expect(train.values.filter((_, at) => at % 3 === 1).every((value) => value === 0)).toBe(true);
    expect(test.values.filter((_, at) => at % 3 === 1).every((value) => value === 0)).toBe(true);
  });
});

describe("accuracy", () => {
  it("counts, with the binomial standard error", () => {
    expect(accuracyOf([1, 0, 2, 2], [1, 1, 2, 0])).toEqual({
      correct: 2,
      count: 4,
      accuracy: 0.5,
      standardError: 0.25,
    });
  });

  it("of equal scores the lower class; of equal similarities the earlier row", () => {
    expect([...largestScores([1, 3, 3, -1, -2, -1], 3)]).toEqual([1, 0]);
    const found = mostSimilar([0.5, 0.9, 0.5, 0.9, 0.1, 0.9], 4);
    expect(found.map(({ index }) => index)).toEqual([1, 3, 5, 0]);
    expect(mostSimilar([0.2, 0.4], 5).map(({ index }) => index)).toEqual([1, 0]);
    expect(mostSimilar([-1, -0.5, -2], 1)).toEqual([{ index: 1, similarity: -0.5 }]);
  });

  it("the k most similar are those of a full sort", () => {
    const random = new TestRandom(2);
    const values = Array.from({ length: 500 }, () => Math.round(20 * random.normal()));
    const sorted = values.map((similarity, index) => ({ index, similarity }));
    sorted.sort((a, b) => b.similarity - a.similarity || a.index - b.index);
    for (const k of [1, 2, 37, 500]) expect(mostSimilar(values, k)).toEqual(sorted.slice(0, k));
  });
});

describe("refused features", () => {
  const good = splits();
  it.each<[string, FeatureSplits, RegExp]>([
    ["no rows", { ...good, train: { ...good.train, values: new Float32Array(0), labels: [] } }, /train has 0 numbers/],
    ["labels missing", { ...good, test: { ...good.test, labels: [0, 1] } }, /test has 30 numbers for 2 rows of 3/],
    ["other features", { ...good, test: { values: new Float32Array(8), columns: 4, labels: [0, 1] } }, /train has 3/],
    ["a label too large", { ...good, classes: 1 }, /label 1 of train is 1, with 1 classes/],
    [
      "NaN",
      { ...good, test: { ...good.test, values: good.test.values.map((value, at) => (at === 7 ? Number.NaN : value)) } },
      /feature 1 of row 2 of test is NaN/,
    ],
  ])("%s", (_what, bad, message) => {
    expect(() => checkSplits(bad)).toThrow(
      expect.objectContaining({ code: "EVAL-FEATURES", message: expect.stringMatching(message) }),
    );
  });
});
