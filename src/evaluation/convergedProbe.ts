/** Multinomial logistic regression trained with the full batch to convergence, its L2 penalty chosen on held-out rows. */
import { CounterRandom, RandomStream } from "../data/random.ts";
import type { Engine } from "../device/engine.ts";
import {
  accuracyOf,
  type FeatureSplits,
  featureError,
  type LabelledFeatures,
  largestScores,
  rowsOf,
} from "./features.ts";
import { type LbfgsOptions, minimize } from "./lbfgs.ts";
import type { ProbeResult } from "./linearProbe.ts";
import { type FittedRows, LogisticRegression } from "./logisticRegression.ts";

export interface ConvergedOptions {
  /** Part of the training rows that chooses the penalty; 1/6 unless given. */
  readonly heldOut?: number;
  /** Penalties λ of mean loss + (λ/2)·‖W‖², from strong to weak; 10 to 1e-5 by half decades unless given. */
  readonly penalties?: readonly number[];
  /** Largest entry of the gradient of a converged fit; 1e-5 unless given. */
  readonly tolerance?: number;
  readonly seed?: number;
}

/** What one penalty gave on the held-out rows. */
export interface PenaltyResult {
  readonly penalty: number;
  readonly loss: number;
  readonly accuracy: number;
}

const PENALTIES = Array.from({ length: 13 }, (_, i) => 10 ** (1 - i / 2));
const MAX_EVALUATIONS = 2000;
/** The search compares held-out losses, which settle long before the gradient does; each of its fits starts where the last one ended. */
const SEARCH = { looser: 10, maxEvaluations: 200 };

/**
 * Chooses λ by the held-out cross-entropy, which a few hundred images tell more surely than the accuracy. The search goes from strong to
 * weak, each fit starting from the one before, and ends when the loss has risen twice; the classifier is then fitted to all training rows.
 *
 * @param splits standardised
 * @throws EngineError EVAL-FEATURES with fewer than two training rows
 */
export async function convergedProbe(
  engine: Engine,
  splits: FeatureSplits,
  { heldOut = 1 / 6, penalties = PENALTIES, tolerance = 1e-5, seed = 0 }: ConvergedOptions,
): Promise<ProbeResult> {
  const { classes, test } = splits;
  const train = shuffled(splits.train, seed);
  const rows = rowsOf(train);
  if (rows < 2) throw featureError(`train has ${rows} row, of which none can be held out`, "Give at least two rows.");
  const kept = Math.min(rows - 1, Math.max(1, Math.round((1 - heldOut) * rows)));
  const regression = await LogisticRegression.create(engine, { ...splits, train }, kept);
  const fitted = (part: FittedRows, penalty: number, start: Float64Array, options: LbfgsOptions) =>
    minimize((point) => regression.evaluate(part, penalty, point), start, options);
  const search = { tolerance: SEARCH.looser * tolerance, maxEvaluations: SEARCH.maxEvaluations };
  try {
    const tried: PenaltyResult[] = [];
    const heldOutLabels = Array.from(train.labels).slice(kept);
    let point: Float64Array = new Float64Array(regression.elements);
    let best: { readonly result: PenaltyResult; readonly point: Float64Array } | undefined;
    let risen = 0;
    for (const penalty of penalties) {
      point = (await fitted("kept", penalty, point, search)).point;
      const scores = await regression.scores("heldOut", point);
      const { accuracy } = accuracyOf(largestScores(scores, classes), heldOutLabels);
      const result = { penalty, loss: crossEntropy(scores, heldOutLabels, classes), accuracy };
      tried.push(result);
      const isBest = !best || result.loss < best.result.loss;
      if (isBest) best = { result, point };
      risen = isBest ? 0 : risen + 1;
      if (risen === 2) break;
    }
    if (!best) throw featureError("no penalty is given", "Give at least one.");
    const { penalty } = best.result;
    const final = await fitted("train", penalty, best.point, { tolerance, maxEvaluations: MAX_EVALUATIONS });
    const predicted = async (part: "train" | "test") =>
      largestScores(await regression.scores(part, final.point), classes);
    return {
      protocol: "converged",
      test: accuracyOf(await predicted("test"), test.labels),
      train: accuracyOf(await predicted("train"), train.labels),
      loss: final.value,
      penalty,
      penalties: tried,
      evaluations: final.evaluations,
      hasConverged: final.hasConverged,
    };
  } finally {
    regression.destroy();
  }
}

/** Mean of −ln softmax(scores)[label], in float64. */
function crossEntropy(scores: Float32Array, labels: readonly number[], classes: number): number {
  let total = 0;
  labels.forEach((label, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    const highest = Math.max(...own);
    const sum = own.reduce((partial, value) => partial + Math.exp(value - highest), 0);
    total += Math.log(sum) + highest - (own[label] ?? 0);
  });
  return total / labels.length;
}

/** Rows in a seeded random order, so that any run of them is a random sample (Fisher–Yates). */
function shuffled({ values, columns, labels }: LabelledFeatures, seed: number): LabelledFeatures {
  const random = new CounterRandom(seed, RandomStream.evaluation);
  const order = Uint32Array.from(labels, (_, index) => index);
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random.uniform(last) * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  const moved = new Float32Array(values.length);
  order.forEach((from, to) => {
    moved.set(values.subarray(from * columns, (from + 1) * columns), to * columns);
  });
  return { values: moved, columns, labels: Array.from(order, (from) => labels[from] ?? 0) };
}
