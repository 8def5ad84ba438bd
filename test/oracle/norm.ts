/** Float64 references of shaders/norm: columns of each [rows, columns] matrix of a batch, centred and standardised. */

export interface ColumnShape {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Standardized {
  readonly y: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly inverseStd: Float64Array;
}

/** y = (x − mean)/√(var + epsilon) by column, var biased; without standardize y = x − mean and inverseStd = 1. */
export function columnStandardize(
  x: ArrayLike<number>,
  { batch, rows, columns }: ColumnShape,
  { epsilon, standardize }: { epsilon: number; standardize: boolean },
): Standardized {
  const y = new Float64Array(batch * rows * columns);
  const mean = new Float64Array(batch * columns);
  const variance = new Float64Array(batch * columns);
  const inverseStd = new Float64Array(batch * columns);
  for (let g = 0; g < batch; g++) {
    for (let j = 0; j < columns; j++) {
      const at = (i: number) => (g * rows + i) * columns + j;
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += x[at(i)]!;
      const m = sum / rows;
      let squares = 0;
      for (let i = 0; i < rows; i++) squares += (x[at(i)]! - m) ** 2;
      const scale = standardize ? 1 / Math.sqrt(squares / rows + epsilon) : 1;
      for (let i = 0; i < rows; i++) y[at(i)] = (x[at(i)]! - m) * scale;
      mean[g * columns + j] = m;
      variance[g * columns + j] = squares / rows;
      inverseStd[g * columns + j] = scale;
    }
  }
  return { y, mean, variance, inverseStd };
}

/**
 * dX[i] = inverseStd·(dY[i] − mean(dY) − y[i]·mean(dY·y)) by column, and `magnitude`, the same with absolute terms.
 */
export function columnStandardizeGrad(
  dY: ArrayLike<number>,
  y: ArrayLike<number>,
  inverseStd: ArrayLike<number>,
  { batch, rows, columns }: ColumnShape,
): { dX: Float64Array; magnitude: Float64Array } {
  const dX = new Float64Array(batch * rows * columns);
  const magnitude = new Float64Array(batch * rows * columns);
  for (let g = 0; g < batch; g++) {
    for (let j = 0; j < columns; j++) {
      const at = (i: number) => (g * rows + i) * columns + j;
      let mean = 0;
      let meanProduct = 0;
      let absMean = 0;
      let absProduct = 0;
      for (let i = 0; i < rows; i++) {
        mean += dY[at(i)]! / rows;
        meanProduct += (dY[at(i)]! * y[at(i)]!) / rows;
        absMean += Math.abs(dY[at(i)]!) / rows;
        absProduct += Math.abs(dY[at(i)]! * y[at(i)]!) / rows;
      }
      const scale = inverseStd[g * columns + j]!;
      for (let i = 0; i < rows; i++) {
        dX[at(i)] = scale * (dY[at(i)]! - mean - y[at(i)]! * meanProduct);
        magnitude[at(i)] = Math.abs(scale) * (Math.abs(dY[at(i)]!) + absMean + Math.abs(y[at(i)]!) * absProduct);
      }
    }
  }
  return { dX, magnitude };
}
