/** Float64 references of evaluation: weighted k nearest neighbours and the loss of a linear classifier, plain loops. */
import { softmaxCrossEntropy } from "./classification.ts";

export interface Rows {
  readonly values: ArrayLike<number>;
  readonly columns: number;
  readonly labels: ArrayLike<number>;
}

function unit({ values, columns }: Rows, row: number): number[] {
  const own = Array.from({ length: columns }, (_, j) => values[row * columns + j]!);
  const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
  return own.map((value) => value / Math.max(norm, 1e-12));
}

/** Votes Σ exp(cosine/τ) by class of the k training rows most similar to each test row, [rows, classes]. */
export function neighborVotes(train: Rows, test: Rows, classes: number, k: number, temperature: number): Float64Array {
  const references = Array.from({ length: train.labels.length }, (_, row) => unit(train, row));
  const votes = new Float64Array(test.labels.length * classes);
  for (let row = 0; row < test.labels.length; row++) {
    const query = unit(test, row);
    const near = references
      .map((reference, index) => ({ index, cosine: reference.reduce((sum, value, j) => sum + value * query[j]!, 0) }))
      .sort((a, b) => b.cosine - a.cosine || a.index - b.index)
      .slice(0, k);
    for (const { index, cosine } of near)
      votes[row * classes + train.labels[index]!]! += Math.exp(cosine / temperature);
  }
  return votes;
}

/** Mean cross-entropy + (penalty/2)·‖W‖² of scores x·Wᵀ + b, and its gradient as (dW, db). */
export function regressionLoss(
  { values, columns, labels }: Rows,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  penalty: number,
) {
  const classes = bias.length;
  const rows = labels.length;
  const scores = new Float64Array(rows * classes);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < classes; c++) {
      let score = bias[c]!;
      for (let j = 0; j < columns; j++) score += values[row * columns + j]! * weight[c * columns + j]!;
      scores[row * classes + c] = score;
    }
  }
  const { terms, residual } = softmaxCrossEntropy(scores, labels, classes);
  const squares = Array.from(weight).reduce((sum, value) => sum + value * value, 0);
  const dWeight = Float64Array.from(weight, (value) => penalty * value);
  const dBias = new Float64Array(classes);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < classes; c++) {
      const slope = residual[row * classes + c]! / rows;
      dBias[c]! += slope;
      for (let j = 0; j < columns; j++) dWeight[c * columns + j]! += slope * values[row * columns + j]!;
    }
  }
  const loss = terms.reduce((sum, term) => sum + term / rows, 0) + (penalty / 2) * squares;
  return { loss, scores, dWeight, dBias };
}
