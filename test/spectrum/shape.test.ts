/** Ranks and bimodality on spectra with known answers. */
import { describe, expect, it } from "vitest";
import { isEngineError } from "../../src/errors.ts";
import {
  bimodalityCoefficient,
  effectiveRank,
  participationRatio,
  rankMe,
  spectrumBimodality,
  stableRank,
  twoClassVariance,
} from "../../src/spectrum/index.ts";
import { TestRandom } from "../support/random.ts";

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return isEngineError(error) ? error.code : String(error);
  }
  return "nothing was refused";
};

describe("ranks", () => {
  it("RankMe of the golden embeddings", () => {
    expect(rankMe([4.64486093, 3.27997847, 2.60902436])).toBeCloseTo(2.9154572323552, 8);
  });

  it("k equal values fill k dimensions, in every definition", () => {
    const values = [2, 2, 2, 0, 0];
    expect(effectiveRank(values)).toBeCloseTo(3, 12);
    expect(participationRatio(values)).toBeCloseTo(3, 12);
    expect(stableRank(values)).toBeCloseTo(3, 12);
    expect(rankMe(values, 0)).toBeCloseTo(3, 12);
    // ε adds to every share, zeros included: p = 1/3 + ε and ε.
    expect(rankMe(values)).toBeCloseTo(3 * (1 + 2e-7 * 16.118), 4);
  });

  it("by hand: 3, 1", () => {
    expect(effectiveRank([3, 1])).toBeCloseTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))), 12);
    expect(participationRatio([3, 1])).toBeCloseTo(1.6, 12);
    expect(stableRank([1, 3])).toBeCloseTo(10 / 9, 12);
  });

  it("do not depend on scale or order, and bound each other", () => {
    const random = new TestRandom(1);
    const values = Array.from({ length: 20 }, () => Math.exp(3 * random.normal()));
    for (const rank of [effectiveRank, participationRatio, stableRank]) {
      const shuffled = [...values].reverse().map((value) => value * 1e-200);
      expect(rank(shuffled)).toBeCloseTo(rank(values), 9);
    }
    expect(participationRatio(values)).toBeLessThan(effectiveRank(values));
    expect(effectiveRank(values)).toBeLessThan(20);
  });

  it("rounding below zero counts as zero; a spectrum of zeros has rank 0; NaN is refused", () => {
    expect(effectiveRank([1, 1, -1e-9])).toBeCloseTo(2, 12);
    for (const rank of [effectiveRank, participationRatio, rankMe, stableRank]) {
      expect(rank([0, 0])).toBe(0);
      expect(codeOf(() => rank([1, Number.NaN]))).toBe("DATA-NONFINITE");
    }
  });
});

describe("bimodality", () => {
  const normals = new TestRandom(2).normals(20_000);
  const uniform = Array.from({ length: 20_000 }, (_, i) => i);

  it("coefficient: 1/3 for a normal, 5/9 for a uniform, 1 for two points", () => {
    expect(bimodalityCoefficient(normals)).toBeCloseTo(1 / 3, 1.5);
    expect(bimodalityCoefficient(uniform)).toBeCloseTo(5 / 9, 3);
    expect(bimodalityCoefficient(Array.from({ length: 20_000 }, (_, i) => i % 2))).toBeCloseTo(1, 3);
  });

  it("coefficient of five numbers, by hand", () => {
    // 1 2 3 4 10: mean 4, m₂ = 10, m₃ = 36, m₄ = 278.8; G = 36/10^1.5·√20/3, K = 4/6·(6·(2.788 − 3) + 6).
    const skewness = (36 / 10 ** 1.5) * (Math.sqrt(20) / 3);
    const kurtosis = (4 / 6) * (6 * (2.788 - 3) + 6);
    expect(bimodalityCoefficient([1, 2, 3, 4, 10])).toBeCloseTo((skewness ** 2 + 1) / (kurtosis + (3 * 16) / 6), 12);
  });

  it("two-way split: 2/π for a normal, 3/4 for a uniform, 1 for two points", () => {
    expect(twoClassVariance(normals).explained).toBeCloseTo(2 / Math.PI, 2);
    expect(twoClassVariance(uniform).explained).toBeCloseTo(0.75, 6);
    const split = twoClassVariance([5, 1, 5, 1, 1]);
    expect(split).toMatchObject({ upper: 2, threshold: 3 });
    expect(split.explained).toBeCloseTo(1, 12);
  });

  it("two-way split equals the definition, over all splits", () => {
    const values = Array.from(new TestRandom(3).normals(30)).sort((a, b) => b - a);
    const variance = (list: readonly number[]): number => {
      const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
      return list.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    };
    const shares = values.slice(1).map((_, i) => {
      const within = variance(values.slice(0, i + 1)) + variance(values.slice(i + 1));
      return 1 - within / variance(values);
    });
    const split = twoClassVariance(values);
    expect(split.explained).toBeCloseTo(Math.max(...shares), 12);
    expect(split.upper).toBe(shares.indexOf(Math.max(...shares)) + 1);
  });

  it("of a spectrum: learned and near-zero eigenvalues are told apart in the logarithm", () => {
    const random = new TestRandom(4);
    const learned = Array.from({ length: 20 }, () => 10 ** (0.2 * random.normal()));
    const rest = Array.from({ length: 43 }, () => 10 ** (-4 + 0.4 * random.normal()));
    const found = spectrumBimodality([...rest, ...learned, -1e-9]);
    expect(found.omitted).toBe(1);
    expect(found.split.upper).toBe(20);
    expect(found.split.explained).toBeGreaterThan(0.95);
    expect(found.coefficient).toBeGreaterThan(0.8);
    const tail = Array.from({ length: 63 }, () => 10 ** random.normal());
    expect(spectrumBimodality(tail).coefficient).toBeLessThan(0.555);
  });

  it("too few values are refused; equal ones have no answer", () => {
    expect(codeOf(() => bimodalityCoefficient([1, 2, 3]))).toBe("DATA-TOO-FEW");
    expect(codeOf(() => spectrumBimodality([1, 2, 3, -1]))).toBe("DATA-TOO-FEW");
    expect(codeOf(() => twoClassVariance([1]))).toBe("DATA-TOO-FEW");
    expect(twoClassVariance([2, 2, 2]).explained).toBeNaN();
  });
});
