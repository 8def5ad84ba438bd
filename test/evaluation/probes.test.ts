/** k nearest neighbours and linear probes against float64, on the GPU. */
import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/index.ts";
import { type FeatureSplits, standardized } from "../../src/evaluation/features.ts";
import { linearProbe, nearestNeighbors } from "../../src/evaluation/index.ts";
import { minimize } from "../../src/evaluation/lbfgs.ts";
import { LogisticRegression } from "../../src/evaluation/logisticRegression.ts";
import { epochIndices } from "../oracle/augment.ts";
import { neighborVotes, regressionLoss } from "../oracle/evaluation.ts";
import { adamStep, type Parameter } from "../oracle/optimisers.ts";
import { randomFill } from "../oracle/random.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

/** Classes as Gaussian clouds around random means, `noise` wide. */
function clouds(sizes: { train: number; test: number; columns: number; classes: number }, noise: number, seed = 1) {
  const random = new TestRandom(seed);
  const { columns, classes } = sizes;
  const means = random.normals(classes * columns);
  const part = (rows: number) => {
    const labels = Array.from({ length: rows }, () => random.integer(classes));
    const values = random.normals(rows * columns, noise);
    for (let at = 0; at < values.length; at++) {
      values[at] = values[at]! + means[labels[Math.floor(at / columns)]! * columns + (at % columns)]!;
    }
    return { values, columns, labels };
  };
  return { train: part(sizes.train), test: part(sizes.test), classes } satisfies FeatureSplits;
}

describe("nearestNeighbors", () => {
  for (const [neighbors, temperature] of [
    [1, 0.07],
    [20, 0.07],
    [200, 0.1],
  ] as const) {
    it(`k ${neighbors}, τ ${temperature}: the predictions of float64 wherever the vote is no tie`, async () => {
      const splits = clouds({ train: 150, test: 61, columns: 13, classes: 5 }, 1.2);
      const result = await nearestNeighbors(engine(), splits, { neighbors, temperature });
      expect(result.neighbors).toBe(Math.min(neighbors, 150));
      const votes = neighborVotes(splits.train, splits.test, 5, result.neighbors, temperature);
      let [correct, doubtful] = [0, 0];
      splits.test.labels.forEach((label, row) => {
        const own = Array.from(votes.subarray(5 * row, 5 * row + 5));
        const [first = 0, second = 0] = [...own].sort((a, b) => b - a);
        if (own.indexOf(first) === label) correct++;
        // A cosine is known to γ_30; times 1/τ, that is what a vote is known to.
        if (first - second < (4 * gamma(30) * first) / temperature) doubtful++;
      });
      expect(Math.abs(result.test.correct - correct)).toBeLessThanOrEqual(doubtful);
      expect(doubtful).toBeLessThan(3);
      expect(result.test.accuracy).toBeGreaterThan(0.5);
    });
  }

  it("in several products: the same as in one, row by row", async () => {
    // 3,000 references and 1,500 queries are more similarities than one read-back takes.
    const splits = clouds({ train: 3000, test: 1500, columns: 4, classes: 3 }, 1);
    const { test, ...rest } = splits;
    const whole = await nearestNeighbors(engine(), splits);
    let correct = 0;
    for (const [start, end] of [
      [0, 700],
      [700, 1500],
    ] as const) {
      const part = { values: test.values.slice(4 * start, 4 * end), columns: 4, labels: test.labels.slice(start, end) };
      correct += (await nearestNeighbors(engine(), { ...rest, test: part })).test.correct;
    }
    expect(whole.test.count).toBe(1500);
    expect(whole.test.correct).toBe(correct);
  });

  it("impossible options are refused", async () => {
    const splits = clouds({ train: 4, test: 4, columns: 2, classes: 2 }, 1);
    const expected = expect.objectContaining({ code: "EVAL-OPTION" });
    await expect(nearestNeighbors(engine(), splits, { neighbors: 0 })).rejects.toThrow(expected);
    await expect(nearestNeighbors(engine(), splits, { temperature: 0 })).rejects.toThrow(expected);
  });
});

describe("LogisticRegression", () => {
  it("loss, gradient and scores against float64; the gap between weights and biases stays zero", async () => {
    const splits = clouds({ train: 37, test: 5, columns: 7, classes: 3 }, 1);
    const regression = await LogisticRegression.create(engine(), splits, 30);
    try {
      const random = new TestRandom(3);
      const weight = random.normals(21);
      const bias = random.normals(3);
      const flat = new Float64Array(regression.elements);
      flat.set(weight);
      flat.set(bias, 64);
      for (const [rows, end] of [
        ["kept", 30],
        ["train", 37],
      ] as const) {
        const part = { ...splits.train, labels: splits.train.labels.slice(0, end) };
        const exact = regressionLoss(part, weight, bias, 0.3);
        const { value, gradient } = await regression.evaluate(rows, 0.3, flat);
        // Scores of eight terms below 10 in sum, loss and residual by their headers with distances below 20, sums over 37 rows.
        expect(Math.abs(value - exact.loss)).toBeLessThan(gamma(8 * 10 + 108 + 37) * 10);
        const expected = new Float64Array(regression.elements);
        expected.set(exact.dWeight);
        expected.set(exact.dBias, 64);
        expect(gradient).toMatchOracle(expected, { factor: gamma(2 * (80 + 180) + 37), scale: 3 });
      }
      const exact = regressionLoss(splits.test, weight, bias, 0);
      expect(await regression.scores("test", flat)).toMatchOracle(exact.scores, { factor: gamma(9), scale: 20 });
      const held = {
        ...splits.train,
        values: splits.train.values.subarray(30 * 7),
        labels: splits.train.labels.slice(30),
      };
      const heldOut = regressionLoss(held, weight, bias, 0);
      expect(await regression.scores("heldOut", flat)).toMatchOracle(heldOut.scores, { factor: gamma(9), scale: 20 });
    } finally {
      regression.destroy();
    }
  });
});

describe("linearProbe, converged", () => {
  // Four informative features, twenty that are noise: a weak penalty overfits.
  const noisy = (): FeatureSplits => {
    const { train, test, classes } = clouds({ train: 240, test: 300, columns: 4, classes: 3 }, 1.5);
    const random = new TestRandom(8);
    const widened = ({ values, labels }: { values: Float32Array; labels: number[] }) => {
      const wide = random.normals(labels.length * 24);
      labels.forEach((_, row) => {
        wide.set(values.subarray(4 * row, 4 * row + 4), 24 * row);
      });
      return { values: wide, columns: 24, labels };
    };
    return { train: widened(train), test: widened(test), classes };
  };

  it("meets the condition of optimality in float64, with the penalty that the held-out rows prefer", async () => {
    const splits = noisy();
    const result = await linearProbe(engine(), splits);
    expect(result.protocol).toBe("converged");
    expect(result.hasConverged).toBe(true);
    const losses = result.penalties!.map(({ loss }) => loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(result.penalty).toBe(result.penalties![best]!.penalty);
    // The search went past the best penalty and ended after two rises.
    expect(losses.length).toBe(best + 3);
    expect(best).toBeGreaterThan(0);
    // The same problem in float64 from start to end.
    const { train, test } = standardized(splits);
    const exact = await minimize(
      async (point) => {
        const { loss, dWeight, dBias } = regressionLoss(
          train,
          point.subarray(0, 72),
          point.subarray(72),
          result.penalty!,
        );
        return { value: loss, gradient: Float64Array.from([...dWeight, ...dBias]) };
      },
      new Float64Array(75),
      { tolerance: 1e-10, maxEvaluations: 1000, noise: 1e-15 },
    );
    // A gradient of 1e-5 leaves the loss ‖g‖²/(2λ) above its minimum; f32 adds 1e-6.
    expect(Math.abs(result.loss - exact.value)).toBeLessThan((75 * 1e-10) / (2 * result.penalty!) + 2e-6);
    const { scores } = regressionLoss(test, exact.point.subarray(0, 72), exact.point.subarray(72), 0);
    const agreeing = test.labels.length - Math.abs(result.test.correct - countRight(scores, test.labels, 3));
    expect(agreeing).toBeGreaterThanOrEqual(test.labels.length - 1);
  });

  it("is the same number again, another one for another split, and chance for random labels", async () => {
    const splits = noisy();
    const first = await linearProbe(engine(), splits);
    expect(await linearProbe(engine(), splits)).toEqual(first);
    const other = await linearProbe(engine(), splits, { protocol: "converged", seed: 1 });
    expect(other.penalties![0]!.loss).not.toBe(first.penalties![0]!.loss);
    const random = new TestRandom(4);
    const shuffle = <T extends { labels: ArrayLike<number> }>(part: T): T => ({
      ...part,
      labels: Array.from(part.labels, () => random.integer(3)),
    });
    const chance = await linearProbe(engine(), { ...splits, train: shuffle(splits.train), test: shuffle(splits.test) });
    expect(Math.abs(chance.test.accuracy - 1 / 3)).toBeLessThan(4 * chance.test.standardError);
    expect(first.test.accuracy).toBeGreaterThan(1 / 3 + 4 * first.test.standardError);
  });

  it("a single training row cannot be split", async () => {
    const splits = clouds({ train: 1, test: 3, columns: 2, classes: 2 }, 1);
    await expect(linearProbe(engine(), splits)).rejects.toThrow(/none can be held out/);
  });
});

function countRight(scores: Float64Array, labels: ArrayLike<number>, classes: number): number {
  return Array.from(labels).filter((label, row) => {
    const own = Array.from(scores.subarray(classes * row, classes * (row + 1)));
    return own.indexOf(Math.max(...own)) === label;
  }).length;
}

describe("linearProbe, Adam", () => {
  it("follows the protocol step by step in float64: batches, first values, decay, the last partial batch dropped", async () => {
    const [count, columns, classes, batch, epochs, seed] = [29, 6, 3, 8, 3, 5];
    const splits = clouds({ train: count, test: 40, columns, classes }, 1);
    const options = { protocol: "adam", batch, epochs, seed, learningRate: 0.05, weightDecay: 0.1 } as const;
    const result = await linearProbe(engine(), splits, options);

    const { train, test } = standardized(splits);
    const bound = 1 / Math.sqrt(columns);
    const draw = (length: number, at: number) =>
      randomFill(length, {
        seed,
        stream: RandomStream.classifier + at,
        normal: false,
        scale: 2 * bound,
        offset: -bound,
      });
    const parameters = [draw(classes * columns, 0), draw(classes, 1)].map(
      (value): Parameter => ({
        value,
        first: new Float64Array(value.length),
        second: new Float64Array(value.length),
        weightDecay: 0.1,
        isExcluded: false,
        rateFactor: 1,
        fixedRate: 0,
      }),
    );
    let loss = 0;
    for (let step = 0; step < 3 * epochs; step++) {
      const chosen = epochIndices(step, { count, batch, seed, stream: RandomStream.evaluation });
      const values = chosen.flatMap((row) => [...train.values.subarray(columns * row, columns * (row + 1))]);
      const rows = { values, columns, labels: chosen.map((row) => train.labels[row]!) };
      const exact = regressionLoss(rows, parameters[0]!.value, parameters[1]!.value, 0);
      loss = exact.loss;
      const rates = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decoupled: false };
      adamStep(parameters, [exact.dWeight, exact.dBias], 0.05, step, rates);
    }
    // Nine steps of 0.05 in f32; Adam divides by roots of small moments, so that a gradient's relative error is a step's.
    expect(Math.abs(result.loss - loss)).toBeLessThan(1e-4 * loss);
    const { scores } = regressionLoss(test, parameters[0]!.value, parameters[1]!.value, 0);
    expect(result.test.correct).toBe(countRight(scores, test.labels, classes));
    expect(result.bestOverEpochs).toBeGreaterThanOrEqual(result.test.accuracy);
  });

  it("a batch larger than the training rows is all of them", async () => {
    const splits = clouds({ train: 20, test: 10, columns: 3, classes: 2 }, 0.5);
    const { train } = await linearProbe(engine(), splits, { protocol: "adam", epochs: 200, learningRate: 0.05 });
    expect(train.accuracy).toBeGreaterThan(0.8);
  });
});
