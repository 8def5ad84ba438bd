/** Float64 references of softmax cross-entropy and of choosing rows, plain loops. */

/** Terms −ln softmax(x)[label] by row, and softmax(x) − onehot(label), of logits [rows, columns]. */
export function softmaxCrossEntropy(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  columns: number,
): { readonly terms: Float64Array; readonly residual: Float64Array; readonly spread: Float64Array } {
  const rows = labels.length;
  const terms = new Float64Array(rows);
  const residual = new Float64Array(rows * columns);
  /** Largest distance of a logit from the label's. */
  const spread = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const label = labels[i]!;
    const reference = logits[i * columns + label]!;
    let highest = 0;
    for (let j = 0; j < columns; j++) {
      const distance = logits[i * columns + j]! - reference;
      highest = Math.max(highest, distance);
      spread[i] = Math.max(spread[i]!, Math.abs(distance));
    }
    let others = 0;
    for (let j = 0; j < columns; j++) {
      if (j !== label) others += Math.exp(logits[i * columns + j]! - reference - highest);
    }
    const total = others + Math.exp(-highest);
    terms[i] = highest === 0 ? Math.log1p(others) : highest + Math.log(total);
    for (let j = 0; j < columns; j++) {
      const power = Math.exp(logits[i * columns + j]! - reference - highest);
      residual[i * columns + j] = (j === label ? -others : power) / total;
    }
  }
  return { terms, residual, spread };
}

export function gatherRows(x: ArrayLike<number>, indices: ArrayLike<number>, columns: number): Float64Array {
  const y = new Float64Array(indices.length * columns);
  for (let i = 0; i < indices.length; i++) {
    for (let j = 0; j < columns; j++) y[i * columns + j] = x[indices[i]! * columns + j]!;
  }
  return y;
}
