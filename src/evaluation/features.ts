/** Features with their labels, standardisation by feature, accuracy: on the CPU in float64. */
import { EngineError } from "../errors.ts";

/** One row of features and one label per image. */
export interface LabelledFeatures {
  /** f32[count, columns]. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly columns: number;
  /** Class of each row, from 0. */
  readonly labels: ArrayLike<number>;
}

/** What a probe is trained on and tested on. */
export interface FeatureSplits {
  readonly train: LabelledFeatures;
  readonly test: LabelledFeatures;
  readonly classes: number;
}

export function rowsOf({ labels }: LabelledFeatures): number {
  return labels.length;
}

/** @throws EngineError EVAL-FEATURES: what does not fit, or where a number is not finite */
export function checkSplits({ train, test, classes }: FeatureSplits): void {
  for (const [name, { values, columns, labels }] of Object.entries({ train, test })) {
    if (labels.length < 1 || values.length !== labels.length * columns || columns !== train.columns) {
      throw featureError(
        `${name} has ${values.length} numbers for ${labels.length} rows of ${columns} features; train has ${train.columns}`,
        "Give every row the same features and one label.",
      );
    }
    const strange = Array.from(labels).findIndex(
      (label) => !(Number.isInteger(label) && label >= 0 && label < classes),
    );
    if (strange >= 0) {
      throw featureError(
        `label ${strange} of ${name} is ${labels[strange]}, with ${classes} classes`,
        "Count classes from 0.",
      );
    }
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw featureError(
        `feature ${bad % columns} of row ${Math.floor(bad / columns)} of ${name} is ${values[bad]}`,
        "Evaluate a run that did not diverge.",
      );
    }
  }
}

export function featureError(why: string, fix: string): EngineError {
  return new EngineError({ code: "EVAL-FEATURES", message: `The features cannot be evaluated: ${why}`, fix });
}

/**
 * Each feature with mean 0 and variance 1 over the rows of `train` (biased variance); both splits by the same numbers. A feature that is
 * constant there becomes 0.
 */
export function standardized(splits: FeatureSplits): FeatureSplits {
  const { train } = splits;
  const { columns, values } = train;
  const rows = rowsOf(train);
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  for (let at = 0; at < values.length; at++) mean[at % columns] = (mean[at % columns] ?? 0) + (values[at] ?? 0) / rows;
  for (let at = 0; at < values.length; at++) {
    const distance = (values[at] ?? 0) - (mean[at % columns] ?? 0);
    variance[at % columns] = (variance[at % columns] ?? 0) + distance ** 2 / rows;
  }
  // The variance of equal numbers is rounding of their mean.
  const factor = variance.map((value, c) =>
    value > 1e-12 * (mean[c] ?? 0) ** 2 && value > 0 ? 1 / Math.sqrt(value) : 0,
  );
  const apply = (part: LabelledFeatures): LabelledFeatures => {
    const scaled = new Float32Array(part.values.length);
    for (let at = 0; at < scaled.length; at++) {
      scaled[at] = ((part.values[at] ?? 0) - (mean[at % columns] ?? 0)) * (factor[at % columns] ?? 0);
    }
    return { ...part, values: scaled };
  };
  return { ...splits, train: apply(train), test: apply(splits.test) };
}

export interface Accuracy {
  readonly correct: number;
  readonly count: number;
  readonly accuracy: number;
  /** √(p(1 − p)/count): of the sampling of test images alone. */
  readonly standardError: number;
}

export function accuracyOf(predicted: ArrayLike<number>, labels: ArrayLike<number>): Accuracy {
  let correct = 0;
  for (let at = 0; at < labels.length; at++) if (predicted[at] === labels[at]) correct++;
  const accuracy = correct / labels.length;
  return {
    correct,
    count: labels.length,
    accuracy,
    standardError: Math.sqrt((accuracy * (1 - accuracy)) / labels.length),
  };
}

/** Class with the largest score of each row of [rows, classes]; the lower one of equals. */
export function largestScores(scores: ArrayLike<number>, classes: number): Uint32Array {
  const rows = scores.length / classes;
  const best = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let c = 1; c < classes; c++) {
      const leader = best[row] ?? 0;
      if ((scores[row * classes + c] ?? 0) > (scores[row * classes + leader] ?? 0)) best[row] = c;
    }
  }
  return best;
}
